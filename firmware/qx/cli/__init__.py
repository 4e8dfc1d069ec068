# SPDX-License-Identifier: Apache-2.0
"""cli: the command line, a face: it reads arguments, calls `control` and prints. It decides nothing."""
