/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Compiles the header once, so that its size assertions are checked on this side too. */
#include "husk_events.h"
