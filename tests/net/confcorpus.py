#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares the config parser with wg-quick(8) and wg(8) over generated files.

usage: confcorpus.py DEVICE CONFSHOW FOLDER COUNT SEED

Each file is read by CONFSHOW (tests/net/confshow.c), and by `wg-quick strip`, `wg setconf DEVICE`
and `wg showconf DEVICE`. CONFSHOW and the WireGuard tools must both refuse the file, or both must
yield the same keys, port, mark and peers. A difference must be one that
docs/config-agreement.md explains, under the name that explain() gives it. The last line says how
often each known difference occurred. The exit status is 1 if an unknown difference occurred.
"""

import base64
import collections
import hashlib
import os
import random
import re
import socket
import subprocess
import sys

DEVICE, CONFSHOW, FOLDER, COUNT, SEED = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
os.environ["WG_ENDPOINT_RESOLUTION_RETRIES"] = "0"  # there is no DNS, so no name resolves
QUICK = ["address", "dns", "mtu", "table", "preup", "postup", "predown", "postdown", "saveconfig"]


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    return done.returncode == 0, done.stdout, done.stderr.decode(errors="replace").strip()


# --- generator ------------------------------------------------------------------------------------

def key(name):
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


# This key is clamped, like the keys of `wg genkey`, because wireguard-go prints every key clamped.
PRIVATE = base64.b64encode(b"\x08" + hashlib.sha256(b"private").digest()[1:31] + b"\x40").decode()
OWN = run("wg", "pubkey", text=PRIVATE.encode())[1].decode().strip()
PUBLIC = [key(f"public {i}") for i in range(4)]
BAD_KEYS = ["", "short", PUBLIC[0][:-1], PUBLIC[0] + "=", PUBLIC[0][:-2] + "B=",
            "!" + PUBLIC[0][1:], PUBLIC[0][:-1] + "A"]
NUMBERS = ["0", "1", "25", "51820", "65535", "65536", "-1", "+5", "007", "0x10", "0X1f", "off",
           "OFF", "1 2", "1.0", "", "x", "99999999999999999999", "4294967295", "4294967296",
           "0xffffffff", "0x100000000", "0x", "domain"]
ADDRESSES = ["10.0.0.1", "10.0.0.0/8", "10.1.2.3/16", "0.0.0.0/0", "::/0", "fd00::1/64", "fd00::1",
             "192.0.2.1/32", "10.0.0.2/031", "::ffff:10.0.0.1", "10.0.0.1 / 24", "fd00::/08"]
BAD_ADDRESSES = ["10.1", "10.0.0.1/33", "::/129", "10.0.0.1/", "/24", "host", "10.0.0.1/8/8", "",
                 "10.0.0.1/-1", "10.0.0.1/+8", "256.0.0.1", "fd00:::1", "10.0.0.1/0x8", "1.2.3.4.5"]
ENDPOINTS = ["192.0.2.1:51820", "[2001:db8::1]:51820", "2001:db8::1:51820", "192.0.2.1:0",
             "192.0.2.1:domain", "[192.0.2.1]:5", "192.0.2.1:007", "0x7f.1:5"]
BAD_ENDPOINTS = ["192.0.2.1", "192.0.2.1:", ":5", "[::1]", "[::1:5", "[::1]5", "192.0.2.1:65536",
                 "192.0.2.1:x", "", "[]:5", "192.0.2.1:-1"]
COMMANDS = ["true", "iptables -A FORWARD -i %i -j ACCEPT; true", "echo \"a = b\" [Peer]", "",
            "a\tb", "echo '# not this'", "\u201c\u00a0", "wg set %i private-key <(cat /k)"]


def pick(rng, good, bad, share=0.05):
    return rng.choice(bad if rng.random() < share else good)


def address_list(rng, share):
    return rng.choice([",", ", ", " ,"]).join(
        pick(rng, ADDRESSES, BAD_ADDRESSES, share) for _ in range(rng.randint(1, 4)))


def allowed(rng):
    text = address_list(rng, 0.02)
    if rng.random() < 0.03:
        text = rng.choice("+-") + text
    return "" if rng.random() < 0.05 else text


GOOD_NUMBERS = {"listenport": ["0", "1", "51820", "65535", "007", "domain"],
                "fwmark": ["0", "off", "OFF", "0xca6c", "4294967295", "7"],
                "persistentkeepalive": ["0", "25", "off", "65535"],
                "mtu": ["1420", "1280", "0x578", ""]}


def number(rng, name):
    return pick(rng, GOOD_NUMBERS[name], NUMBERS)


INTERFACE = {
    "PrivateKey": lambda rng: pick(rng, [PRIVATE], BAD_KEYS),
    "ListenPort": lambda rng: number(rng, "listenport"),
    "FwMark": lambda rng: number(rng, "fwmark"),
    "Address": lambda rng: pick(rng, ["10.9.0.1/24", "10.9.0.2", "fd09::1/64 10.8.0.1/255.255.0.0"],
                                BAD_ADDRESSES),
    "DNS": lambda rng: pick(rng, ["9.9.9.9", "9.9.9.9, corp.example", "2620:fe::fe ~."],
                            ["1.2", "a b;", "1.1.1.1;"]),
    "MTU": lambda rng: number(rng, "mtu"),
    "Table": lambda rng: pick(rng, ["auto", "off", "1234", "0x77", "main", ""], NUMBERS),
    "PreUp": lambda rng: rng.choice(COMMANDS),
    "PostUp": lambda rng: rng.choice(COMMANDS),
    "PreDown": lambda rng: rng.choice(COMMANDS),
    "PostDown": lambda rng: rng.choice(COMMANDS),
    "SaveConfig": lambda rng: pick(rng, ["true", "false", "TRUE"], ["", "yes"]),
}
PEER = {
    "PublicKey": lambda rng: pick(rng, [*PUBLIC, OWN], BAD_KEYS, 0.02),
    "PresharedKey": lambda rng: pick(rng, [key("psk"), "A" * 43 + "="], BAD_KEYS, 0.03),
    "AllowedIPs": allowed,
    "Endpoint": lambda rng: pick(rng, ENDPOINTS, BAD_ENDPOINTS, 0.03),
    "PersistentKeepalive": lambda rng: number(rng, "persistentkeepalive"),
}
TYPOS = ["Colour = blue", "PrivatKey = x", "[Pear]", "[]", "; comment", "= 5", "PostUp", "MTU",
         "[Peer", "Public Key = " + PUBLIC[0], "[ Interface ]", "Post Up = true",
         "\u00a0MTU = 1400", "[Peer] x",
         "AllowedIPs = 10.0.0.1 10.0.0.2", "PrivateKey = \"x\"", "PublicKey: x", "[interface]"]


def line(rng, name, value):
    name = rng.choice([name] * 6 + [name.lower(), name.upper()])
    text = rng.choice(["{} = {}", "{}={}", "  {}\t=  {} ", "{} = {} # comment"]).format(name, value)
    return "#" + text if rng.random() < 0.02 else text


def section(rng, title, table, must, most):
    lines = [rng.choice([title] * 8 + [title.lower(), title + " # x", "  " + title])]
    names = [n for n in must if rng.random() > 0.01]
    names += [rng.choice(list(table)) for _ in range(rng.randint(0, most))]
    rng.shuffle(names)
    lines += [line(rng, name, table[name](rng)) for name in names]
    if rng.random() < 0.02:
        lines.insert(rng.randint(0, len(lines)), rng.choice(TYPOS))
    return lines


def generate(rng):
    parts = [section(rng, "[Interface]", INTERFACE, ["PrivateKey"], 5)]
    parts += [section(rng, "[Peer]", PEER, ["PublicKey"], 4) for _ in range(rng.randint(0, 4))]
    if rng.random() < 0.1:
        rng.shuffle(parts)
    end = "\r\n" if rng.random() < 0.05 else "\n"
    text = end.join(line for part in parts for line in [*part, ""])
    if rng.random() < 0.03:  # one character is changed
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice("#=[], \n\t;/:x0") + text[at + 1:]
    return text


# --- comparison -----------------------------------------------------------------------------------

def endpoint(text):
    host, port = text.rsplit(":", 1)
    info = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM,
                              flags=socket.AI_NUMERICHOST)
    return info[0][4][:2]


def values(text):
    """Parses the output of conf_format() or `wg showconf`."""
    found, at = {"peers": {}}, None
    for entry in text.splitlines():
        name, _, value = entry.partition(" = ")
        name = name.lower()
        if entry.startswith("[Peer]"):
            at = {}
        elif name == "publickey":
            found["peers"][value] = at
        elif name == "allowedips":
            at[name] = sorted(value.split(", "))
        elif name == "endpoint":
            at[name] = endpoint(value)
        elif name in ("presharedkey", "persistentkeepalive"):
            at[name] = value
        elif name in ("privatekey", "listenport", "fwmark"):
            found[name] = value
    return found


def ours(paths):
    output = run(CONFSHOW, text="".join(path + "\n" for path in paths).encode())[1].decode()
    results = re.split(r"^== ", output, flags=re.M)[1:]
    for result in results:
        head, _, rest = result.partition("\n")
        yield (values(rest), "") if head == "ok" else (None, head)


def theirs(path, text):
    if any(re.search(rf"(?im)^\s*{name}", text) for name in QUICK):
        good, stripped, error = run("wg-quick", "strip", path)
        if not good:
            return None, error
        with open(path + ".stripped", "wb") as file:
            file.write(stripped)
        path += ".stripped"
    good, _, error = run("wg", "setconf", DEVICE, path)
    if not good:
        return None, error
    return values(run("wg", "showconf", DEVICE)[1].decode()), ""


def blamed_key(message, text):
    """Returns what stands before the "=" in the line that our message names, in lower case and
    without white space."""
    place = re.search(r":(\d+):\d+: ", message)
    if not place:
        return ""
    blamed = text.split("\n")[int(place[1]) - 1]
    return re.sub(r"\s", "", blamed.split("=")[0].split("#")[0]).lower()


def signed(text):
    return re.search(r"(?im)^\s*allowedips\s*=(.*[, ])?\s*[-+]", text)


def spaced(text):
    """True if there is white space within [Interface] or within the name of a setting of wg-quick,
    such as "Post Up"."""
    for entry in text.split("\n"):
        name = entry.split("#")[0].split("=")[0].strip()
        if re.search(r"\s", name) and re.sub(r"\s", "", name).lower() in [*QUICK, "[interface]"]:
            return True
    return False


def explain(text, message, error):
    """Returns the name of a known difference, or None. Either our @message or wg's @error is
    set."""
    if message:
        name = blamed_key(message, text)
        if "IPv6 needs at least" in message:
            return "mtu"
        if name in QUICK:
            return "quick"
        large = re.search(r"[ :](\d+): (ListenPort|the port) must be", message)
        return "port" if large and int(large[1]) > 65535 else None
    if signed(text):
        return "sign"
    if spaced(text):
        return "space"
    if re.search("(?i)unrecognized: `allowedips='", error):
        return "empty"
    return None


def main():
    rng = random.Random(SEED)
    texts = [generate(rng) for _ in range(COUNT)]
    paths = [os.path.join(FOLDER, f"c{i}.conf") for i in range(COUNT)]
    for path, text in zip(paths, texts):
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(path, 0o600)
    counts, bad = collections.Counter(), 0
    for path, text, (mine, message) in zip(paths, texts, ours(paths)):
        other, error = theirs(path, text)
        if mine and other and "listenport" not in mine:
            other.pop("listenport", None)  # wireguard-go chooses a port
        if mine == other:
            counts["both take it" if mine is not None else "both refuse it"] += 1
            continue
        both = mine is not None and other is not None
        known = None if both else explain(text, message, error)
        counts[f"difference {known}"] += 1
        if known:
            continue
        bad += 1
        if bad <= 20:
            print(f"{path}: wgxdp: {message or mine}\n  wg: {error or other}")
    print(", ".join(f"{name}: {count}" for name, count in sorted(counts.items())))
    sys.exit(bad > 0)


main()
