/** All that several threads could do: every order of their steps, with a death behind every write. */
import { MARK, Violation, type Entry, type Machine, type State, type Thread } from './machine.ts';

/** Far more than any scenario has; a mistake may well have no end. */
const MOST_STATES = 300_000;

/** Whoever waits that often and finds nothing waits for ever. */
const MOST_NAPS = 4;

const STATUSES = ['ready', 'waiting', 'dead', 'done'] as const;

/** What a thread does: its calls, one after the other, each given what those before returned. */
export type Program = readonly ((results: readonly number[]) => number)[];

export interface Scenario {
  readonly machine: Machine;
  readonly memory: Int32Array;
  /** Threads are numbered from 1. */
  readonly programs: readonly Program[];
  /** When to give up. */
  readonly maxStates?: number;
  /** How many of them may die. */
  readonly maxDeaths: number;
  /** Which of them may; all, if it is left out. */
  readonly mortals?: readonly number[];
  /** Checks what is left when nobody runs any more; throws a {@link Violation}. */
  readonly audit: (state: State, dead: ReadonlySet<number>) => void;
}

export interface Explored {
  readonly states: number;
  readonly ends: number;
}

/** Tries everything; throws a {@link Violation} at the first rule that breaks. */
export function explore(scenario: Scenario): Explored {
  const threads = scenario.programs.map(() => fresh(0, []));
  const stack: State[] = [{ memory: scenario.memory, threads, line: [], deaths: 0 }];
  const seen = new Set<number>();
  const { maxStates = MOST_STATES } = scenario;
  let ends = 0;
  for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
    const next = successors(scenario, state);
    if (next.length === 0) {
      ends++;
      finish(scenario, state);
      continue;
    }
    for (const each of [...next, ...deathsInSleep(scenario, state)]) {
      const key = keyOf(scenario.machine.locks, each);
      if (seen.has(key)) continue;
      seen.add(key);
      stack.push(each);
      if (seen.size > maxStates) throw new Error(`more than ${maxStates} states`);
    }
  }
  return { states: seen.size + 1, ends };
}

function finish(scenario: Scenario, state: State): void {
  for (const [index, { status }] of state.threads.entries()) {
    if (status === 'waiting') throw new Violation(`thread ${index + 1} waits for ever`);
  }
  scenario.audit(state, deadOf(state));
}

function successors(scenario: Scenario, state: State): State[] {
  const next: State[] = [];
  for (const [index, thread] of state.threads.entries()) {
    if (thread.status === 'ready') next.push(...steps(scenario, state, index));
    if (thread.status === 'waiting' && mayTimeOut(state, thread)) next.push(wake(state, index, 'timed-out'));
  }
  return next;
}

function deathsInSleep(scenario: Scenario, state: State): State[] {
  const dying = [...state.threads.keys()].filter((index) => {
    return state.threads[index]!.status === 'waiting' && mayDie(scenario, state, index);
  });
  return dying.map((index) => died(state, index, state.memory));
}

/**
 * A sleep that ends by itself hides a call that was forgotten. It may do so only where somebody died, who could not call; once at any
 * time, to meet whoever else finds out, and else when nobody runs.
 */
function mayTimeOut({ threads, deaths }: State, { naps }: Thread): boolean {
  if (deaths === 0) return false;
  return naps === 0 || (naps < MOST_NAPS && threads.every(({ status }) => status !== 'ready'));
}

function mayDie({ maxDeaths, mortals }: Scenario, { deaths }: State, index: number): boolean {
  return deaths < maxDeaths && (mortals === undefined || mortals.includes(index + 1));
}

/** The step of one thread, and its deaths on the way. */
function steps(scenario: Scenario, state: State, index: number): State[] {
  const { machine, programs } = scenario;
  const thread = state.threads[index]!;
  const memory = state.memory.slice();
  const afterWrites: Int32Array[] | undefined = mayDie(scenario, state, index) ? [] : undefined;
  const log = thread.answer === undefined ? thread.log : [...thread.log, thread.answer];
  const program = programs[index]!;
  const call = (): number => program[thread.call]!(thread.results);
  const done = machine.step(memory, index + 1, log, deadOf(state), afterWrites, call);
  let moved: Thread;
  if (done.result !== undefined) {
    const results = [...thread.results, done.result];
    moved = fresh(thread.call + 1, results);
    if (moved.call === program.length) moved = { ...moved, status: 'done' };
  } else if (done.waitsAt === -1) moved = { ...thread, log: done.log, answer: undefined };
  else moved = { ...thread, log: done.log, answer: undefined, status: 'waiting', waitsAt: done.waitsAt };
  let after: State = {
    memory,
    threads: state.threads.with(index, moved),
    line: moved.status === 'waiting' ? [...state.line, index] : state.line,
    deaths: state.deaths,
  };
  for (const { address, count } of done.notified) after = notify(after, address, count);
  const ways = [after];
  if (afterWrites === undefined) return ways;
  // Dead before it came to call anybody, or having called.
  for (const each of afterWrites) ways.push(died(state, index, each));
  if (done.notified.length > 0) ways.push(died(after, index, memory));
  // Nor need it have done anything.
  if (thread.log.length === 0) ways.push(died(state, index, state.memory));
  return ways;
}

function notify(state: State, address: number, count: number): State {
  let after = state;
  let left = count;
  for (const index of state.line) {
    if (left === 0) break;
    if (state.threads[index]!.waitsAt !== address) continue;
    after = wake(after, index, 'ok');
    left--;
  }
  return after;
}

function wake(state: State, index: number, answer: 'ok' | 'timed-out'): State {
  const before = state.threads[index]!;
  const naps = before.naps + (answer === 'ok' ? 0 : 1);
  const entry: Entry = { answer, address: before.waitsAt, operation: 'wait' };
  const thread: Thread = { ...before, status: 'ready', waitsAt: -1, answer: entry, naps };
  return {
    ...state,
    threads: state.threads.with(index, thread),
    line: state.line.filter((each) => each !== index),
  };
}

function died(state: State, index: number, memory: Int32Array): State {
  const { results } = state.threads[index]!;
  return {
    memory,
    threads: state.threads.with(index, { ...fresh(0, results), status: 'dead' }),
    line: state.line.filter((each) => each !== index),
    deaths: state.deaths + 1,
  };
}

function fresh(call: number, results: readonly number[]): Thread {
  return { status: 'ready', call, log: [], results, waitsAt: -1, answer: undefined, naps: 0 };
}

function deadOf({ threads }: State): Set<number> {
  const dead = new Set<number>();
  for (const [index, { status }] of threads.entries()) if (status === 'dead') dead.add(index + 1);
  return dead;
}

/** 53 bits of a hash: among a million states, two that differ meet with a chance of one in 18,000. */
function keyOf(locks: ReadonlySet<number>, { memory, threads, line }: State): number {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  const mix = (word: number): void => {
    low = Math.imul(low ^ word, 0x01000193);
    low ^= low >>> 15;
    high = Math.imul(high ^ word, 0x85ebca6b);
    high ^= high >>> 13;
  };
  for (const word of memory) mix(word);
  for (const { status, call, log, results, waitsAt, answer, naps } of threads) {
    mix(STATUSES.indexOf(status) + 256 * call + 65_536 * (waitsAt + 1));
    mix(numberOf(answer?.answer) + 256 * naps);
    for (const { address, operation, answer: each } of tellingEntries(locks, log)) {
      mix(address);
      mix(operation.length);
      mix(numberOf(each));
    }
    for (const each of results) mix(each);
  }
  for (const each of line) mix(each);
  return (high >>> 0) * 2 ** 21 + (low >>> 11);
}

/**
 * What of a log says where the thread is. How it came by a lock is not asked any more once it has it, nor whom it woke when it let
 * go: of the accesses to locks only those behind the last other one count. Nor what was before a mark.
 */
function tellingEntries(locks: ReadonlySet<number>, log: readonly Entry[]): readonly Entry[] {
  const telling: Entry[] = [];
  let atLock: Entry[] = [];
  for (const entry of log.slice(
    Math.max(
      0,
      log.findLastIndex(({ operation }) => operation === MARK),
    ),
  )) {
    if (locks.has(entry.address) || (entry.address === -1 && atLock.length > 0)) {
      atLock.push(entry);
      continue;
    }
    atLock = [];
    telling.push(entry);
  }
  return [...telling, ...atLock];
}

function numberOf(answer: unknown): number {
  return typeof answer === 'number' ? answer : String(answer).length + 1_000_000;
}
