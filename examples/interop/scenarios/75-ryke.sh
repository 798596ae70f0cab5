# ryke, another implementation of IKE, in memory: peers/ryke.
ryke_in_memory() {
  ( cd "$HERE/peers/ryke" && cargo test -q ) >"$DIR/cargo.out" 2>&1 || fail "$(grep -m1 -E '^(test .* FAILED|error|thread .* panicked)' "$DIR/cargo.out" || tail -1 "$DIR/cargo.out")"
  note "$(grep -oE '[0-9]+ passed' "$DIR/cargo.out" | awk '{n += $1} END {print n}') tests"
}
[ "${INTEROP_OURS:-gateway}" != gateway ] ||
  scenario ryke-in-memory 900 'ryke, both versions and roles: PSK, ESP packets, COOKIE, INVALID_KE, rekeys, deletion' ryke_in_memory
