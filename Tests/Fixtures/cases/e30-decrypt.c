/* SPDX-License-Identifier: MIT */
/* E30: decrypted in place, run, encrypted again; twenty times, with other code each time. */
#include "case.h"

#define LENGTH (2 * PAGE - 17)

static void encrypt(unsigned char *bytes, size_t length, unsigned char key)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] ^= (unsigned char)(key + i * 13);
}

int main(void)
{
	unsigned char *code = fixture_map(2 * PAGE, RW);

	for (uint32_t i = 1; i <= 20; i++) {
		case_code(code, LENGTH, 0x30000000 + i);
		encrypt(code, LENGTH, (unsigned char)i);
		encrypt(code, LENGTH, (unsigned char)i);
		fixture_protect(code, 2 * PAGE, RX);
		case_run(code, 0x30000000 + i);
		case_truth(code, LENGTH);
		fixture_protect(code, 2 * PAGE, RW);
		encrypt(code, LENGTH, (unsigned char)i);
	}
	return case_end();
}
