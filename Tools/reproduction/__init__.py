# SPDX-License-Identifier: Apache-2.0
"""The paper's tables in our own engine (see ../reproduce)."""
