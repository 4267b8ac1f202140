/* SPDX-License-Identifier: MIT */
/* E01: RW memory, written, made RX, called; then one of two pages and a few bytes. */
#include "case.h"

int main(void)
{
	case_classic(PAGE, 0x01000001);
	case_classic(2 * PAGE + 77, 0x01000002);
	return case_end();
}
