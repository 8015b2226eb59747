# SPDX-License-Identifier: MIT
"""Compares `wg-quick up` and `wgxdp attach` of one config file (tests/net/shapes.sh).

Usage, in namespaces of its own for networks, mounts and processes:

    shapes.py WGXDP FILE SCRATCH

Prints one of these outcomes, followed by the messages of the two programs, or by the differences:

    same           attach makes the state that wg-quick makes, and detach restores the old state
    both refuse    neither accepts the file, and wgxdp restores the old state
    wgxdp refuses  only wg-quick accepts the file, and wgxdp restores the old state
    differs        anything else
"""

import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import time

WGXDP, SOURCE, SCRATCH = sys.argv[1:]
MARK = "/proc/sys/net/ipv4/conf/all/src_valid_mark"
SERVER = "203.0.113.77"  # every name of an endpoint resolves to this address


def run(*command):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, check=False)


def must(*command):
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def write(path, text, mode=0o600):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def mounts():
    """Mounts private directories over those to which the two programs and the hooks write."""
    for place in "/run", "/var/log", "/etc/wireguard":
        must("mount", "-t", "tmpfs", "tmpfs", place)
    must("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
    with open(SOURCE, encoding="utf-8", errors="replace") as f:
        names = re.findall(r"^Endpoint\s*=\s*([a-z][a-z0-9.-]*):", f.read(), re.M | re.I)
    write(f"{SCRATCH}/hosts", "127.0.0.1 localhost\n" +
          "".join(f"{SERVER} {name}\n" for name in names), 0o644)
    must("mount", "--bind", f"{SCRATCH}/hosts", "/etc/hosts")
    # Hooks in some of the configs read these files.
    write("/etc/wireguard/client.key", must("wg", "genkey"))
    write("/etc/wireguard/nat.nft", "table ip nat_of_hook { }\n")


def network():
    for command in (
            "link set lo up",
            "link add eth0 type veth peer name eth1",
            "address add 172.31.255.2/24 dev eth0",
            "address add 2001:db8:ffff::2/64 dev eth0 nodad",
            "link set eth0 addrgenmode none", "link set eth1 addrgenmode none",
            "link set eth0 up", "link set eth1 up",
            "route add default via 172.31.255.1",
            "-6 route add default via 2001:db8:ffff::1"):
        must("ip", *command.split())


def programs():
    """Replaces the programs that set DNS by programs that record their arguments."""
    os.mkdir(f"{SCRATCH}/bin")
    for name in "resolvconf", "resolvectl":
        write(f"{SCRATCH}/bin/{name}",
              f'#!/bin/sh\n{{ echo "{name} $*"; [ "$1" != -a ] || cat; }} >>{SCRATCH}/dns\n', 0o755)
    os.environ["PATH"] = f"{SCRATCH}/bin:{os.path.dirname(WGXDP)}:{os.environ['PATH']}"
    os.environ["WG_QUICK_USERSPACE_IMPLEMENTATION"] = "wgxdp"


def link_state():
    lines = []
    for link in json.loads(must("ip", "-j", "address")):
        lines.append(f"link {link['ifname']} mtu {link['mtu']} {sorted(link['flags'])}")
        lines += sorted(f"address {link['ifname']} {a['local']}/{a['prefixlen']} {a['scope']}"
                        for a in link["addr_info"])
    return lines


def route_state():
    lines = []
    for family in "-4", "-6":
        routes = json.loads(must("ip", family, "-j", "route", "show", "table", "all") or "[]")
        lines += sorted("route " + json.dumps(route, sort_keys=True) for route in routes)
        lines += ["rule " + json.dumps(rule, sort_keys=True)
                  for rule in json.loads(must("ip", family, "-j", "rule") or "[]")]
    return lines


def filter_state():
    """Returns the rules of nftables, without the chain named "leak", which only wgxdp adds
    (docs/firewall.md)."""
    text = must("nft", "list", "ruleset").replace("wg-quick-", "wgxdp-")
    text = re.sub(r"\n\tchain leak \{.*?\n\t\}\n", "", text, flags=re.S)
    text = re.sub(r"counter packets \d+ bytes \d+", "counter", text)
    tables = re.split(r"(?m)^(?=table )", text)
    return [f"nft {line}" for table in sorted(tables) for line in table.split("\n") if line.strip()]


def tunnel_state(text):
    done = run("wg", "showconf", "wg0")
    lines = [] if done.returncode else done.stdout.split("\n")
    if not re.search(r"^\s*ListenPort", text, re.M | re.I):
        lines = [line for line in lines if not line.startswith("ListenPort")]
    return [f"wg {line}" for line in lines]


def state(text):
    return (link_state() + route_state() + filter_state() + tunnel_state(text) +
            [f"src_valid_mark {read(MARK).strip()}"])


def dns():
    path = f"{SCRATCH}/dns"
    lines = read(path).split("\n") if os.path.exists(path) else []
    if lines:
        os.remove(path)
    return [f"dns {line}" for line in lines]


def wait_for_end():
    """Waits until the daemon has ended. wg-quick only deletes the interface, and the daemon ends
    when it notices this."""
    end = time.monotonic() + 20
    while os.path.exists("/run/wgxdp/wg0.lock") and time.monotonic() < end:
        time.sleep(0.02)


def cycle(up, down, text):
    """Returns whether up succeeds, what up and down print, and the states before up, after up, and
    after down."""
    before = state(text)
    os.makedirs(f"{SCRATCH}/{up[0]}", exist_ok=True)
    path = f"{SCRATCH}/{up[0]}/wg0.conf"
    shutil.copyfile(SOURCE, path)
    os.chmod(path, 0o600)
    done = run(*up, path)
    during = state(text) + dns()
    said, fine = done.stdout, done.returncode == 0
    if fine:
        done = run(*down, path)
        said += done.stdout
        during += [] if done.returncode == 0 else [f"down fails: {done.stdout}"]
    wait_for_end()
    after = state(text) + dns()
    return fine, said, before, during, after


def diff(what, a, b):
    """Returns the lines that differ: "-" is what wg-quick makes, "+" what wgxdp makes."""
    return [f"{what}: {line}" for line in difflib.unified_diff(a, b, n=0, lineterm="")
            if not line.startswith(("---", "+++", "@@"))]


def main():
    mounts()
    network()
    programs()
    with open(SOURCE, encoding="utf-8", errors="replace") as f:
        text = f.read()
    quick, quick_said, _, quick_up, quick_down = cycle(("wg-quick", "up"), ("wg-quick", "down"),
                                                       text)
    with open(MARK, "w", encoding="ascii") as f:
        f.write("0")  # wg-quick down does not reset src_valid_mark
    ours, ours_said, before, up, down = cycle(("wgxdp", "attach"), ("wgxdp", "detach"), text)
    left = diff("left", before, [line for line in down if not line.startswith("dns")])
    if quick and not ours and not left:
        print("wgxdp refuses")
        print(ours_said)
    elif not quick and not ours and not left:
        print("both refuse")
        print(ours_said)
        print(quick_said)
    elif quick != ours:
        print("differs")
        print(quick_said, ours_said, *left, sep="\n")
    else:
        differences = diff("up", quick_up, up) + left
        differences += diff("dns", [line for line in quick_down if line.startswith("dns")],
                            [line for line in down if line.startswith("dns")])
        print("differs" if differences else "same")
        print(*differences, sep="\n")


main()
