/* SPDX-License-Identifier: MIT */
#include <yara.h>
