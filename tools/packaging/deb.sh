#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian packages of this tree, and lintian's opinion of them: deb.sh [--source] [DIR], default build/deb
set -eu
cd "$(dirname "$0")/../.."
root=$PWD kind=-b
if [ "${1:-}" = --source ]; then kind=-S && shift; fi
mkdir -p "${1:-build/deb}"
dir=$(cd "${1:-build/deb}" && pwd)
version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" meson.build)
tree=$dir/libcnnfreeze-$version
rm -rf "$tree"
git archive --prefix="libcnnfreeze-$version/" HEAD | tar -x -C "$dir"
tar -C "$dir" -czf "$dir/libcnnfreeze_$version.orig.tar.gz" "libcnnfreeze-$version"
cp -r "$root/tools/packaging/debian" "$tree/debian"
cd "$tree"
dpkg-buildpackage -us -uc -d "$kind"
lintian --fail-on error,warning "$dir"/libcnnfreeze_"$version"-*.changes
