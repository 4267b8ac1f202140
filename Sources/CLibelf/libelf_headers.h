/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <gelf.h>
#include <libelf.h>
