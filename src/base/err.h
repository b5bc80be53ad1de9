/* SPDX-License-Identifier: GPL-3.0-or-later
 * Errors: an int for code, a caller's buffer for people. Functions return 0 or -RS_E*; only cli/
 * prints or exits. */
#ifndef RS_BASE_ERR_H
#define RS_BASE_ERR_H

enum rs_code {
    RS_OK,
    RS_EINVAL, /* the caller or the user asked for something that cannot be */
    RS_ENOMEM, /* no memory, or a bounded pool is used up */
    RS_EAGAIN, /* not now: try again after the next event */
    RS_EPROTO, /* bytes from outside break their own format */
    RS_ETRUNC, /* bytes end before their format says */
    RS_ESYS,   /* a system call failed; the text says which and why */
    RS_EPERM,  /* a privilege is missing; the text says how to get it */
    RS_ENOENT, /* no such file, interface, plugin ... */
    RS_EBUSY,  /* taken by another process */
    RS_EEND,   /* the stream has ended */
    RS_E_N
};

struct rs_err {
    char text[256]; /* one line for people, no newline; empty when nothing failed */
};

/* Writes the message into `err` (may be NULL) and returns -code, so that callers write `return
 * rs_fail(...)`. */
__attribute__((format(printf, 3, 4))) int rs_fail(struct rs_err *err,
                                                  enum rs_code code,
                                                  const char *format,
                                                  ...);

/* As rs_fail with -RS_ESYS (or -RS_EPERM for EPERM and EACCES), and appends strerror(errno_value).
 */
__attribute__((format(printf, 3, 4))) int rs_fail_errno(struct rs_err *err,
                                                        int errno_value,
                                                        const char *format,
                                                        ...);

#endif
