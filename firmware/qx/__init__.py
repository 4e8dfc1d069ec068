# SPDX-License-Identifier: Apache-2.0
"""qx: the redundancy firmware of a pair of IP PBX units. This file holds its version and nothing else."""

__version__ = "1.0.0"
