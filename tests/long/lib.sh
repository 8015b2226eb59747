# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# lib.sh - builds the Debian package in a clean copy of the project, for tests that install it.
# build_package makes $TMP/wgxdp_$version-1_amd64.deb, and build_newer_package then makes
# $TMP/wgxdp_99.1-1_amd64.deb.

TREE=$TMP/wgxdp-0.2.0
# shellcheck disable=SC2034 # the tests read it
version=$(sed -n 's/^VERSION := //p' Makefile)

run_build() # OPTION...
{
	(cd "$TREE" && DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" \
		dpkg-buildpackage -us -uc -b "$@") >"$TMP/build.log" 2>&1 ||
		{ tail -n 20 "$TMP/build.log" && false; }
}

build_package()
{
	mkdir "$TREE" && git ls-files -z | xargs -0 cp --parents -t "$TREE" && run_build
}

# Builds version 99.1 from the same files. Call build_package first.
build_newer_package()
{
	sed -i "s/^VERSION := .*/VERSION := 99.1/" "$TREE/Makefile"
	sed -i "1s/(.*)/(99.1-1)/" "$TREE/debian/changelog"
	rm -f "$TREE"/debian/*-stamp
	run_build -nc
}
