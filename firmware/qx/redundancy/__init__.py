# SPDX-License-Identifier: Apache-2.0
"""redundancy: what makes two units a pair: the engine's face, the plan, the role machine, the controller."""
