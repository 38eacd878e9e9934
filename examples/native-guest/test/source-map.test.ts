/** source-map's parser: the same mappings as in V8, by the same calls of the same imported function. */
import { expect, it } from 'vitest';
import { describeGuests, realGuest, smallPool } from './support/prepared.ts';
import { RandomBytes } from './support/random.ts';
import { type Twin, Twins } from './support/twins.ts';

const NUM_INPUTS = 1000;
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** A number as source maps write it: base 64 digits of 5 bits, least first, the lowest bit of all the sign. */
function vlq(value: number): string {
  let rest = value < 0 ? -value * 2 + 1 : value * 2;
  let text = '';
  do {
    const digit = rest % 32;
    rest = Math.floor(rest / 32);
    text += BASE64[rest > 0 ? digit + 32 : digit] ?? '';
  } while (rest > 0);
  return text;
}

/** A `mappings` text; one in ten is damaged. */
function mappings(random: RandomBytes): string {
  const small = (): number => random.integer(40) - 8;
  const segment = (): string => {
    const numbers = [random.integer(60)];
    const kind = random.integer(3);
    if (kind > 0) numbers.push(random.integer(3), small(), small());
    if (kind > 1) numbers.push(random.integer(4));
    return numbers.map(vlq).join('');
  };
  const lines = Array.from({ length: 1 + random.integer(12) }, () =>
    Array.from({ length: random.integer(8) }, segment).join(','),
  );
  const text = lines.join(';');
  if (random.integer(10) !== 0) return text;
  const at = random.integer(text.length + 1);
  return text.slice(0, at) + String.fromCharCode(33 + random.integer(90)) + text.slice(at);
}

const ORDERS = ['by_generated_location', 'by_original_location'] as const;

describeGuests('source-map, natively', () => {
  it('finds what V8 finds', () => {
    using pool = smallPool();
    const heard: Record<Twin['name'], number[][]> = { native: [], V8: [] };
    using twins = new Twins(realGuest('source-map'), pool, (twin) => ({
      env: { mapping_callback: (...numbers: number[]) => void heard[twin().name].push(numbers) },
    }));

    /** Everything that can be seen of one input. */
    const parse = (twin: Twin, text: string): unknown => {
      heard[twin.name] = [];
      const buffer = twin.call('allocate_mappings', text.length) >>> 0;
      Buffer.from(twin.memory.buffer).write(text, buffer, 'latin1');
      const parsed = twin.call('parse_mappings', buffer) >>> 0;
      if (parsed === 0) return { error: twin.call('get_last_error') };
      for (const order of ORDERS) twin.call(order, parsed);
      twin.call('compute_column_spans', parsed);
      twin.call('by_generated_location', parsed);
      for (let line = 0; line < 4; line++) {
        twin.call('original_location_for', parsed, line, 10, 1);
        twin.call('generated_location_for', parsed, 1, line, 5, 2);
        twin.call('all_generated_locations_for', parsed, 1, line, 0, 0);
      }
      twin.call('free_mappings', parsed);
      return { parsed, heard: heard[twin.name] };
    };

    const outcomes = { mappings: 0, errors: 0 };
    for (let n = 0; n < NUM_INPUTS; n++) {
      const text = mappings(new RandomBytes(n));
      const ours = parse(twins.native, text);
      expect(ours, `input ${n}: ${text}`).toEqual(parse(twins.v8, text));
      if ((ours as { error?: number }).error !== undefined) outcomes.errors++;
      outcomes.mappings += heard.native.length;
    }
    expect(outcomes.errors).toBeGreaterThan(10);
    expect(outcomes.mappings).toBeGreaterThan(30 * NUM_INPUTS);
    const [ours, theirs] = [twins.native.memory.buffer, twins.v8.memory.buffer];
    expect(Buffer.compare(Buffer.from(ours), Buffer.from(theirs))).toBe(0);
  });
});
