;; A guest that calls the host in the worst moments, and takes what it can get.
(module
  (type $const (func (result i32)))
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (memory (export "memory") 1 4)
  (table $table 2 funcref)
  (global $started (mut i32) (i32.const 0))

  (func $start (global.set $started (call $ask (i32.const 20))))
  (start $start)
  (func (export "started") (result i32) (global.get $started))

  ;; After the host was asked or the memory grew: what would reach the next tenant of the slot.
  (func (export "ask_then_swap") (param i32) (result i32)
    (drop (call $ask (local.get 0)))
    (call $swap))
  (func (export "grow_then_swap") (param i32) (result i32)
    (drop (memory.grow (local.get 0)))
    (call $swap))
  (func $swap (result i32)
    (i32.store8 (i32.const 64) (i32.const 0x41))
    (i32.load (i32.const 0)))
  (func (export "store8") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "pages") (result i32) (memory.size))

  ;; Asks the host on each level of the stack, so that it ends in the call of the host or just before it.
  (func $recurse (export "recurse_asking") (param i32) (result i32)
    (drop (call $ask (local.get 0)))
    (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func $recurse_growing (export "recurse_growing") (param i32) (result i32)
    (drop (table.grow $table (ref.null func) (i32.const 1)))
    (i32.add (call $recurse_growing (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  ;; Stays at the end of the stack for a while, where a signal may come.
  (func $recurse_then_spin (export "recurse_then_spin") (param $depth i32) (param $rounds i32) (result i32)
    (if (i32.eqz (local.get $depth))
      (then
        (loop $again
          (i32.store (i32.const 0) (local.get $rounds))
          (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
        (return (i32.const 0))))
    (i32.add
      (call $recurse_then_spin (i32.sub (local.get $depth) (i32.const 1)) (local.get $rounds))
      (i32.const 1)))
  (func (export "ask_for_ever")
    (loop $again
      (drop (call $ask (i32.const 1)))
      (br $again)))

  (func (export "grow_table") (param i32) (result i32) (table.grow $table (ref.null func) (local.get 0)))
  (func (export "call_entry") (param i32) (result i32) (call_indirect $table (type $const) (local.get 0)))
  (func (export "double") (param f64) (result f64) (local.get 0)))
