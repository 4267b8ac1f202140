/* SPDX-License-Identifier: MIT */
/*
 * R06: a program with faults of its own: reads, writes and fetches that must reach its handler
 * exactly, from ordinary code and from RWX memory that is run and rewritten in between; from
 * some it jumps away, others it mends and restarts. A timer ticks, code raises a signal, a
 * blocked one stays blocked, and what the program withholds with mprotect is withheld.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 10
#define UNMAPPED ((unsigned char *)0x20123) /* below every program */
#define NOT_CANONICAL ((unsigned char *)0x1234567812345678)
#define TICKS_AT_MOST 100000

/* Of a page fault's error code. */
#define WRITE 2u
#define FETCH 16u

static unsigned char alternative[65536];
static sigjmp_buf back;
static unsigned char *mend; /* a page to give `mend_to`, or NULL to jump */
static int mend_to;

static struct {
	int code;
	unsigned char *address, *rip;
	uint32_t error;
} seen;
static volatile sig_atomic_t faults, users, blocked, ticks;
static unsigned char *raised_at;

static void fault(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	unsigned char *here = __builtin_frame_address(0);

	case_check(here > alternative && here < alternative + sizeof(alternative), "sigaltstack");
	case_check(number == SIGSEGV && info->si_signo == SIGSEGV, "the signal");
	faults++;
	seen.code = info->si_code;
	seen.address = info->si_addr;
	seen.rip = (unsigned char *)registers[REG_RIP];
	seen.error = (uint32_t)registers[REG_ERR] & (WRITE | FETCH);
	if (!mend)
		siglongjmp(back, 1);
	case_check(mprotect(mend, PAGE, mend_to) == 0, "mprotect in the handler");
	mend = NULL;
}

/* There was this fault, one only, and nothing came before it. `rip` NULL: anywhere. */
static void faulted(int code, const unsigned char *address, uint32_t error,
		    const unsigned char *rip)
{
	static int before;

	case_check(faults == ++before, "the number of faults");
	case_check(seen.code == code, "si_code");
	case_check(seen.address == address, "si_addr");
	case_check(seen.error == error, "the error code");
	case_check(rip == NULL || seen.rip == rip, "the address that the fault is at");
}

static void user(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (number == SIGUSR2) {
		blocked++;
		return;
	}
	case_check(info->si_code == SI_USER && info->si_pid == case_pid, "who sent the signal");
	users++;
	raised_at = (unsigned char *)registers[REG_RIP];
}

static void tick(int number)
{
	if (number == SIGALRM && ++ticks > TICKS_AT_MOST)
		_exit(99); /* instead of the alarm that all cases have */
}

#define EXPECT_FAULT(statement) \
	do { \
		if (sigsetjmp(back, 1) == 0) { \
			statement; \
			case_check(0, "no fault"); \
		} \
	} while (0)

static void code_is(unsigned char *code, uint32_t result)
{
	case_code(code, PAGE, result);
	case_run(code, result);
	case_truth(code, PAGE);
}

/* `first` `second` is an instruction on [rdi] and esi. */
static void acts(unsigned char *code, uint32_t result, unsigned char first, unsigned char second)
{
	rounds_acting(code, PAGE, result, first, second);
	case_truth(code, PAGE);
}

/* Faults of ordinary code. `page` is read-only, `data` RW. */
static void from_ordinary_code(unsigned char *page, unsigned char *data, uint32_t i)
{
	EXPECT_FAULT((void)*(volatile unsigned char *)(UNMAPPED + i));
	faulted(SEGV_MAPERR, UNMAPPED + i, 0, NULL);
	EXPECT_FAULT(*(volatile uint32_t *)(page + 40 * i) = i);
	faulted(SEGV_ACCERR, page + 40 * i, WRITE, NULL);
	EXPECT_FAULT((void)*(volatile unsigned char *)(NOT_CANONICAL + i));
	faulted(SI_KERNEL, NULL, 0, NULL);
	EXPECT_FAULT(rounds_act(data + i, NULL, 0));
	faulted(SEGV_ACCERR, data + i, FETCH, data + i);
	EXPECT_FAULT(rounds_act(UNMAPPED + i, NULL, 0));
	faulted(SEGV_MAPERR, UNMAPPED + i, FETCH, UNMAPPED + i);
}

/* Faults of code in RWX memory, which returns `result` once nothing is in its way. */
static void from_rwx(unsigned char *code, unsigned char *page, unsigned char *data, uint32_t i)
{
	unsigned char *act = code + ROUNDS_ACT;
	volatile uint32_t *word = (volatile uint32_t *)(page + 40 * i);
	uint32_t result = 0x46001000 + 16 * i;

	acts(code, result, 0x89, 0x37); /* mov [rdi], esi */
	EXPECT_FAULT(rounds_act(code, UNMAPPED + i, i));
	faulted(SEGV_MAPERR, UNMAPPED + i, WRITE, act);
	EXPECT_FAULT(rounds_act(code, page + 40 * i, i));
	faulted(SEGV_ACCERR, page + 40 * i, WRITE, act);
	EXPECT_FAULT(rounds_act(code, NOT_CANONICAL, i));
	faulted(SI_KERNEL, NULL, 0, act);
	mend = page;
	mend_to = RW;
	case_check(rounds_act(code, page + 40 * i, ~i) == result, "a restarted write");
	faulted(SEGV_ACCERR, page + 40 * i, WRITE, act);
	case_check(*word == ~i, "what the restarted write wrote");
	fixture_protect(page, PAGE, R);

	acts(code, result + 1, 0x8B, 0x37); /* mov esi, [rdi] */
	case_check(rounds_act(code, page + 40 * i, 0) == result + 1, "a read");
	EXPECT_FAULT(rounds_act(code, UNMAPPED + i, 0));
	faulted(SEGV_MAPERR, UNMAPPED + i, 0, act);

	acts(code, result + 2, 0xFF, 0xE7); /* jmp rdi */
	EXPECT_FAULT(rounds_act(code, data + i, 0));
	faulted(SEGV_ACCERR, data + i, FETCH, data + i);
	EXPECT_FAULT(rounds_act(code, UNMAPPED + i, 0));
	faulted(SEGV_MAPERR, UNMAPPED + i, FETCH, UNMAPPED + i);
	case_code(data, PAGE, result + 3);
	case_truth(data, PAGE);
	mend = data;
	mend_to = RX;
	case_check(rounds_act(code, data, 0) == result + 3, "a restarted fetch");
	faulted(SEGV_ACCERR, data, FETCH, data);
	fixture_protect(data, PAGE, RW);
}

/* A signal to itself, from RWX memory: it comes right after the system call. */
static void raised(unsigned char *code, uint32_t i)
{
	int before = users;

	rounds_acting(code, PAGE, SYS_kill, 0x0F, 0x05);
	memcpy(code + PAGE - sizeof(i), &i, sizeof(i));
	case_truth(code, PAGE);
	case_check(rounds_act(code, (void *)(intptr_t)case_pid, SIGUSR1) == 0, "kill");
	case_check(users == before + 1, "the number of signals");
	case_check(raised_at == code + ROUNDS_ACT + 2, "the address that the signal came at");
}

/* The program's own W^X: what it took away, it does not have. */
static void toggled(unsigned char *own, uint32_t i)
{
	volatile uint32_t *word = (volatile uint32_t *)(own + PAGE - 16);
	uint32_t result = 0x46002000 + 16 * i, kept;

	fixture_protect(own, PAGE, RW);
	case_code(own, PAGE, result);
	EXPECT_FAULT(rounds_act(own, NULL, 0));
	faulted(SEGV_ACCERR, own, FETCH, own);
	fixture_protect(own, PAGE, RX);
	case_run(own, result);
	case_truth(own, PAGE);
	kept = *word;
	EXPECT_FAULT(*word = i);
	faulted(SEGV_ACCERR, (unsigned char *)word, WRITE, NULL);
	case_check(*word == kept, "what was not to be written to");
	fixture_protect(own, PAGE, RWX);
	code_is(own, result + 1);
	code_is(own, result + 2);
	fixture_protect(own, PAGE, RX);
	case_run(own, result + 2);
	EXPECT_FAULT(*word = i);
	faulted(SEGV_ACCERR, (unsigned char *)word, WRITE, NULL);
	fixture_protect(own, PAGE, RWX);
	code_is(own, result + 3);
	fixture_protect(own, PAGE, RW);
	EXPECT_FAULT(rounds_act(own, NULL, 0));
	faulted(SEGV_ACCERR, own, FETCH, own);
	fixture_protect(own, PAGE, PROT_NONE);
	EXPECT_FAULT((void)*word);
	faulted(SEGV_ACCERR, (unsigned char *)word, 0, NULL);
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	case_check(sigaction(number, &action, NULL) == 0, "sigaction");
}

int main(void)
{
	stack_t stack = {.ss_sp = alternative, .ss_size = sizeof(alternative)};
	struct itimerval every = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	unsigned char *code = fixture_map(PAGE, RWX), *page = fixture_map(PAGE, R);
	unsigned char *data = fixture_map(PAGE, RW), *own = fixture_map(PAGE, RW);
	sigset_t only, mask;

	case_check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	handle(SIGSEGV, fault, SA_ONSTACK);
	handle(SIGUSR1, user, 0);
	handle(SIGUSR2, user, 0);
	case_check(signal(SIGALRM, tick) != SIG_ERR, "signal");
	sigemptyset(&only);
	sigaddset(&only, SIGUSR2);
	case_check(sigprocmask(SIG_BLOCK, &only, NULL) == 0 && raise(SIGUSR2) == 0, "SIGUSR2");
	case_check(setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		code_is(code, 0x46000000 + i);
		from_ordinary_code(page, data, i);
		case_run(code, 0x46000000 + i);
		from_rwx(code, page, data, i);
		code_is(code, 0x46000800 + i);
		raised(code, i);
		toggled(own, i);
		case_check(sigprocmask(SIG_BLOCK, NULL, &mask) == 0, "sigprocmask");
		for (int number = 1; number < 32; number++)
			case_check(sigismember(&mask, number) == (number == SIGUSR2), "the mask");
		case_check(sigpending(&mask) == 0 && sigismember(&mask, SIGUSR2), "sigpending");
		case_check(blocked == 0, "a blocked signal came");
	}
	while (ticks < 3)
		__builtin_ia32_pause();
	case_check(setitimer(ITIMER_REAL, &never, NULL) == 0, "setitimer");
	case_check(sigprocmask(SIG_UNBLOCK, &only, NULL) == 0 && blocked == 1, "unblocked");
	return case_end();
}
