# SPDX-License-Identifier: Apache-2.0
"""`make bench`: keepalived and this product in turn, in the same run, on the same lab."""
