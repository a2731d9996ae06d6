// SPDX-License-Identifier: Apache-2.0

// For every file of these tests.
@_exported import TestSupport
