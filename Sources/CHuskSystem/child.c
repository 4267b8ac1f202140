/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "husk_system.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* In the child. Never returns. */
static void wait_and_execute(char *const argv[], const sigset_t *mask, int ignore_child_signal,
			     int output, int wait_fd, int error_fd)
{
	char byte;
	ssize_t size;
	int error;

	if (ignore_child_signal)
		signal(SIGCHLD, SIG_IGN);
	sigprocmask(SIG_SETMASK, mask, NULL);
	do
		size = read(wait_fd, &byte, 1);
	while (size < 0 && errno == EINTR);
	if (size != 1)
		_exit(127); /* Husk ended before it let this child go */
	if (output < 0 || dup2(output, STDOUT_FILENO) >= 0)
		execvp(argv[0], argv);
	error = errno;
	do
		size = write(error_fd, &error, sizeof(error));
	while (size < 0 && errno == EINTR);
	_exit(error == ENOENT ? 127 : 126); /* as Husk ends then, and shells */
}

int husk_child_start(char *const argv[], const sigset_t *mask, int ignore_child_signal,
		     int output, struct husk_child *child)
{
	int release[2], errors[2], error;
	pid_t pid;

	if (pipe2(release, O_CLOEXEC) != 0)
		return -errno;
	if (pipe2(errors, O_CLOEXEC) != 0) {
		error = errno;
		close(release[0]);
		close(release[1]);
		return -error;
	}
	pid = fork();
	if (pid == 0) {
		/* Its own copy of the writing end would keep it from seeing Husk's end. */
		close(release[1]);
		close(errors[0]);
		wait_and_execute(argv, mask, ignore_child_signal, output, release[0], errors[1]);
	}
	error = errno;
	close(release[0]);
	close(errors[1]);
	if (pid < 0) {
		close(release[1]);
		close(errors[0]);
		return -error;
	}
	child->pid = pid;
	child->release_fd = release[1];
	child->error_fd = errors[0];
	return 0;
}
