/** Each fixed strategy beside the automatic choice, on one range of pages each, and the C program where it can play the same. */
import { memoryImage, Mmap, PageRestorer, type RestoreStrategy } from '@guardstripe/mmap';
import { CPU_TIME, type CProgram } from '../support/c-program.ts';
import {
  cpuTimed,
  measure,
  ratio,
  type Contender,
  type Measurement,
  type MeasureOptions,
} from '../support/measure.ts';
import { duration, printTable, times } from '../support/table.ts';
import { imageContents, PAGE } from '../support/wasm-module.ts';
import { PATTERNS, type Pattern } from './patterns.ts';

const FIXED = ['scan', 'watch', 'copy', 'drop'] as const satisfies readonly RestoreStrategy[];
const C_MODES = ['scan', 'kept', 'drop'] as const;

export interface StrategyOptions extends MeasureOptions {
  /** How many users come before the first that is timed. */
  readonly settlingUsers: number;
  /** Patterns of larger memories are left out. */
  readonly mostPages: number;
}

/** One pattern. */
export interface StrategyResult {
  readonly pattern: string;
  readonly isSteady: boolean;
  readonly measurements: readonly Measurement[];
  /** The automatic choice, as a multiple of the best fixed strategy. */
  readonly autoToBest: number;
  /** The same of the best C mode, where C can play the pattern. */
  readonly autoToC: number | undefined;
}

interface Opened {
  readonly contender: Contender;
  readonly end: () => void;
}

export async function compareStrategies(
  c: CProgram | undefined,
  options: StrategyOptions,
): Promise<readonly StrategyResult[]> {
  const results: StrategyResult[] = [];
  const fixed = FIXED.filter((strategy) => PageRestorer.isSupported(strategy));
  for (const pattern of PATTERNS.filter(({ numPages }) => numPages <= options.mostPages)) {
    const opened = [
      open(pattern, 'automatic', [...fixed], options),
      ...fixed.map((strategy) => open(pattern, strategy, [strategy], options)),
    ];
    const inC = playInC(c, pattern);
    const contenders = [...opened, ...inC].map(({ contender }) => contender);
    const measurements = await measure(contenders, options);
    for (const { end } of [...opened, ...inC]) end();
    const automatic = measurements[0]!;
    const best = (names: readonly string[]) => {
      const ratios = measurements
        .filter(({ name }) => names.includes(name))
        .map((measurement) => ratio(automatic, measurement));
      return ratios.length === 0 ? undefined : Math.max(...ratios);
    };
    results.push({
      pattern: pattern.name,
      isSteady: pattern.isSteady,
      measurements,
      autoToBest: best(fixed) ?? Number.NaN,
      autoToC: best(C_MODES.map((mode) => `C: ${mode}`)),
    });
  }
  return results;
}

function open(
  pattern: Pattern,
  name: string,
  strategies: readonly RestoreStrategy[],
  { settlingUsers }: StrategyOptions,
): Opened {
  const { numPages, imageFirstPage, imagePages } = pattern;
  const map = Mmap.anonymous(numPages * PAGE);
  map.advise(0, map.byteLength, 'nohugepage');
  const bytes = imageContents(imagePages * PAGE);
  const image = memoryImage(bytes);
  map.mapImageAt(image, imageFirstPage * PAGE);
  const images = [{ offset: imageFirstPage * PAGE, bytes, mapped: true }];
  const restorer = new PageRestorer({ map }, { images, strategies });
  const memory = new Uint8Array(map.view());
  const user = pattern.user(numPages);
  let i = 0;
  const contender = cpuTimed(name, (iterations) => {
    for (const end = i + iterations; i < end; i++) {
      user(memory, i);
      restorer.restore();
    }
  });
  // A steady pattern is to be measured when it is steady: what a choice costs on the way is what the others are for.
  for (; i < settlingUsers; i++) {
    user(memory, i);
    restorer.restore();
  }
  const end = () => {
    restorer.close();
    map.close();
    image.close();
  };
  return { contender, end };
}

function playInC(
  program: CProgram | undefined,
  { c, numPages, imagePages, imageFirstPage }: Pattern,
): Opened[] {
  if (program === undefined || c === undefined || imageFirstPage !== 0) return [];
  return C_MODES.map((mode) => {
    const started = program.start(numPages * PAGE, imagePages * PAGE, CPU_TIME);
    return { contender: started.contender(`C: ${mode}`, mode, c.pages, c), end: () => started.end() };
  });
}

export function printStrategies(results: readonly StrategyResult[]): void {
  const names = results[0]?.measurements.map(({ name }) => name) ?? [];
  printTable(
    'A user, then a restore, in CPU time: the automatic choice, fixed strategies, and C',
    ['pattern', ...names, 'to best fixed', 'to best C'],
    results.map(({ pattern, measurements, autoToBest, autoToC }) => [
      pattern,
      ...names.map((name) => {
        const found = measurements.find((measurement) => measurement.name === name);
        return found === undefined ? '' : duration(found.medianNs);
      }),
      times(autoToBest),
      autoToC === undefined ? '' : times(autoToC),
    ]),
  );
}
