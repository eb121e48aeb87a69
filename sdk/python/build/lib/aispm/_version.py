# SPDX-License-Identifier: Apache-2.0
"""The one place that names the version; packaging reads it from here."""

__version__ = "0.1.0"
