;; A small guest of our own: every way to go wrong, and growth.
(module
  (type $const (func (result i32)))
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (memory (export "memory") 1 4)
  (data (i32.const 16) "guardstripe")
  (data (i32.const 40000) "\01\02\03\04")
  (table 3 funcref)
  (elem (i32.const 0) $seven $identity)
  (global $calls (mut i32) (i32.const 0))

  (func $seven (result i32) (i32.const 7))
  (func $identity (param i32) (result i32) (local.get 0))

  ;; Touches of one address. No check is compiled in: what is out of bounds faults.
  (func (export "load8") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "load32") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "load64") (param i32) (result i64) (i64.load (local.get 0)))
  (func (export "store8") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "store64") (param i32 i64) (i64.store (local.get 0) (local.get 1)))
  ;; With a constant offset of 16 MiB: up to 4 GiB + 16 MiB from the start of the memory.
  (func (export "load8_far") (param i32) (result i32) (i32.load8_u offset=16777216 (local.get 0)))
  ;; Writes everything up to the first byte that faults.
  (func (export "fill_up") (param $from i32) (param $value i32)
    (loop $next
      (i32.store8 (local.get $from) (local.get $value))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (br $next)))

  ;; Checked by the instruction itself, not by the hardware.
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))

  (func (export "unreachable") (unreachable))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "truncate") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
  (func (export "call_entry") (param i32) (result i32) (call_indirect (type $const) (local.get 0)))
  (func $recurse (export "recurse") (param i64) (result i64)
    (i64.add (call $recurse (i64.add (local.get 0) (i64.const 1))) (local.get 0)))

  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "pages") (result i32) (memory.size))
  (func (export "ask_then_load") (param i32) (result i32) (i32.load8_u (call $ask (local.get 0))))

  (func (export "count") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (global.get $calls))
  (func (export "sum64") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
  (func (export "mix") (param f32 f64) (result f64) (f64.add (f64.promote_f32 (local.get 0)) (local.get 1)))

  ;; Work of a chosen size: writes `bytes` bytes from 65,536 down, and sums them up.
  (func (export "work") (param $bytes i32) (param $seed i32) (result i32)
    (local $sum i32) (local $at i32)
    (local.set $at (i32.const 0))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $bytes)))
        (local.set $seed (i32.add (i32.mul (local.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
        (i32.store8 offset=1024 (local.get $at) (i32.shr_u (local.get $seed) (i32.const 24)))
        (local.set $sum (i32.add (local.get $sum) (i32.load8_u offset=1024 (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $sum)))
