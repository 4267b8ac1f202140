/* SPDX-License-Identifier: MIT */
#include <capstone.h>
