/* SPDX-License-Identifier: MIT */
/* xtables.h - finds rules of legacy iptables (xtables) that may mark datagrams of the host itself,
 * and so change their route. Packets sent by AF_XDP bypass these rules. The kernel does not report
 * when these rules change. The control thread calls this function. */
#ifndef WGXDP_XTABLES_H
#define WGXDP_XTABLES_H

#include <stdbool.h>

/* Returns true if the chain OUTPUT of the table mangle of iptables-legacy or ip6tables-legacy has
 * rules, in the network namespace of the calling thread. Returns false without CAP_NET_ADMIN. Does
 * not make the kernel load the modules of these tables. */
bool xtables_marks_output(void);

#endif
