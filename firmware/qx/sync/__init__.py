# SPDX-License-Identifier: Apache-2.0
"""sync: what crosses from Master to Backup: settings, voice data, live state. Each a Part of the session."""
