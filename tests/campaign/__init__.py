# SPDX-License-Identifier: Apache-2.0
"""The fault campaign (`make campaign`): a lab pair under seeded faults, judged from outside after each."""
