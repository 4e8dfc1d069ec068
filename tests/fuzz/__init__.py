# SPDX-License-Identifier: Apache-2.0
"""Fuzzing (`make fuzz`): what strangers, peers, files and users hand in is read, or refused in words."""
