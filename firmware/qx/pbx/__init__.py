# SPDX-License-Identifier: Apache-2.0
"""pbx: the applications behind the service address."""
