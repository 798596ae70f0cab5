# A bad cable: the tunnel still comes up and carries a file unchanged.
over_wire() { # OUR-SIDE WIRE-OPTIONS…
  pair "$1"; settings RETRY=0.4
  topology wire "${@:2}"; capture b
  start b; start a
  initiate a
  expect 20 "side a has no tunnel" is_up a; expect 20 "side b has no tunnel" is_up b
  ping_some a 15; ping_some b 15
  end wire TERM 2 || :; note "$(grep -o 'frames.*' wire.out | tr -d "'{}" | tail -1)"
}
wire() { # NAME 'ABOUT' OPTIONS…
  both "init-wire-$1" 240 "$2, we initiate" over_wire a "${@:3}"
  both "resp-wire-$1" 240 "$2, they initiate" over_wire b "${@:3}"
}
wire loss30 '30 % loss' seed=7 loss=30
wire dup 'every frame twice' seed=1 dup=100
wire reorder '40 % of the frames overtaken' seed=2 reorder=40 hold=80
# IKEv1 cannot tell a flipped bit in the open messages 1 to 4 from a peer's wish: those pass, the rest is hurt.
wire corrupt '15 % of the frames behind the open messages with a flipped bit' seed=5 corrupt=15 after=4

open_messages_hurt() { # Flipped bits in every open message: that attempt dies without a trace, the next one succeeds.
  pair "$1"; settings RETRY=0.3 TRIES=3; topology wire seed=6 corrupt=100 until=4; capture b
  start b; start a
  try_initiate a || { expect 5 "the attempt left something behind" is_gone "$OURS"; initiate a; }
  both_up; ping_through a 3; ping_through b 3
}
both init-wire-corrupt-open 90 'every open message with a flipped bit: at most one attempt is lost, we initiate' open_messages_hurt a
both resp-wire-corrupt-open 90 'every open message with a flipped bit: at most one attempt is lost, they initiate' open_messages_hurt b

file_over_wire() {
  pair a; settings RETRY=0.4; topology wire seed=3 loss=1 dup=20 reorder=20 hold=5 corrupt=1
  start b; start a; initiate a; both_up 20; file_through a 1
}
both init-wire-file 90 'a file with its checksum over a cable with every fault' file_over_wire
