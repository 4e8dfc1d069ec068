# SPDX-License-Identifier: Apache-2.0
"""groups: the settings themselves, a file for each field of the product. Data only; `schema` joins them."""
