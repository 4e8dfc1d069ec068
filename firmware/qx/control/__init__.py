# SPDX-License-Identifier: Apache-2.0
"""control: the operations, once, for every face; served on a local socket to the CLI and the console."""
