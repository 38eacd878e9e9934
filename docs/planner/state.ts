/** What the planner page is set to: its fields, their defaults, and the link that carries them. No DOM in here. */
import { DEFAULT_PLAN_SETTINGS, formatBytes, parseBytes, plan, type Plan } from '@guardstripe/layout';

/** How a field is read and shown. */
export type FieldKind = 'count' | 'bytes' | 'optional-count' | 'optional-bytes' | 'flag' | 'choice';

/** One field of the form. Its `name` is also its name in the link. */
export interface Field {
  readonly name: string;
  readonly group: 'settings' | 'host' | 'usage';
  readonly kind: FieldKind;
  readonly label: string;
  readonly hint: string;
  readonly initial: string;
  /** Ends of the slider, where there is one; it moves by powers of two, or by ones where `linear` is said. */
  readonly slider?: { readonly from: number; readonly to: number; readonly linear?: boolean };
  readonly choices?: readonly (readonly [value: string, label: string])[];
}

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const {
  totalMemories,
  maxMemorySize,
  memoryReservation,
  memoryGuardSize,
  linearMemoryKeepResident,
  maxUnusedBytesResident,
  maxUnusedWarmSlots,
} = DEFAULT_PLAN_SETTINGS;

/** Every field, in the order of the page. */
export const FIELDS: readonly Field[] = [
  {
    name: 'embedding',
    group: 'settings',
    kind: 'choice',
    label: 'Whose pool',
    hint: "embedding: V8, in Node's process, leaves less address space and wants more mappings.",
    initial: 'node',
    choices: [
      ['node', 'Guardstripe, in Node'],
      ['wasmtime', 'Wasmtime, in a process of its own'],
    ],
  },
  {
    name: 'totalMemories',
    group: 'settings',
    kind: 'count',
    label: 'Memories',
    hint: 'totalMemories: slots in the slab.',
    initial: String(totalMemories),
    slider: { from: 1, to: 2 ** 20 },
  },
  {
    name: 'maxMemorySize',
    group: 'settings',
    kind: 'bytes',
    label: 'Largest memory',
    hint: 'maxMemorySize: most bytes of one memory that may ever be accessible.',
    initial: formatBytes(maxMemorySize),
    slider: { from: 64 * KIB, to: 16 * GIB },
  },
  {
    name: 'memoryReservation',
    group: 'settings',
    kind: 'bytes',
    label: 'Reservation',
    hint: 'memoryReservation: bytes that compiled code takes to be reserved for a memory.',
    initial: formatBytes(memoryReservation),
    slider: { from: 64 * KIB, to: 16 * GIB },
  },
  {
    name: 'memoryGuardSize',
    group: 'settings',
    kind: 'bytes',
    label: 'Guard',
    hint: 'memoryGuardSize: bytes behind the reservation that must fault. 0 for none.',
    initial: formatBytes(memoryGuardSize),
    slider: { from: 64 * KIB, to: 4 * GIB },
  },
  {
    name: 'guardBeforeLinearMemory',
    group: 'settings',
    kind: 'flag',
    label: 'Guard before the first slot',
    hint: '',
    initial: 'yes',
  },
  {
    name: 'memoryProtectionKeys',
    group: 'settings',
    kind: 'choice',
    label: 'Protection keys',
    hint: 'memoryProtectionKeys: stripes where the host has keys, always, or never.',
    initial: 'auto',
    choices: [
      ['auto', 'auto'],
      ['enable', 'enable'],
      ['disable', 'disable'],
    ],
  },
  {
    name: 'maxMemoryProtectionKeys',
    group: 'settings',
    kind: 'count',
    label: 'Most keys to take',
    hint: 'maxMemoryProtectionKeys.',
    initial: '16',
    slider: { from: 0, to: 16, linear: true },
  },
  {
    name: 'maxUnusedWarmSlots',
    group: 'settings',
    kind: 'count',
    label: 'Warm slots',
    hint: 'maxUnusedWarmSlots: free slots kept for their modules.',
    initial: String(maxUnusedWarmSlots),
  },
  {
    name: 'linearMemoryKeepResident',
    group: 'settings',
    kind: 'bytes',
    label: 'Kept in RAM per free slot',
    hint: 'linearMemoryKeepResident. Wasmtime keeps 0 unless it is told.',
    initial: formatBytes(linearMemoryKeepResident),
  },
  {
    name: 'maxUnusedBytesResident',
    group: 'settings',
    kind: 'bytes',
    label: 'Kept in RAM by all free slots',
    hint: 'maxUnusedBytesResident. Wasmtime has no such bound.',
    initial: formatBytes(maxUnusedBytesResident),
  },
  {
    name: 'guardPages',
    group: 'settings',
    kind: 'choice',
    label: 'Guard markers',
    hint: 'guardPages: what is closed costs no mapping, where the host has markers. Wasmtime has no such setting.',
    initial: 'auto',
    choices: [
      ['auto', 'auto'],
      ['enable', 'enable'],
      ['disable', 'disable'],
    ],
  },
  {
    name: 'addressBits',
    group: 'host',
    kind: 'count',
    label: 'Address bits',
    hint: 'Of a process: 47 on x86-64, 39 on small arm64 and riscv64.',
    initial: '47',
    slider: { from: 32, to: 53, linear: true },
  },
  {
    name: 'protectionKeys',
    group: 'host',
    kind: 'count',
    label: 'Keys of the host',
    hint: '15 on x86-64 with PKU, else 0.',
    initial: '0',
    slider: { from: 0, to: 15, linear: true },
  },
  {
    name: 'pageSize',
    group: 'host',
    kind: 'choice',
    label: 'Page size',
    hint: '',
    initial: '4 KiB',
    choices: [
      ['4 KiB', '4 KiB'],
      ['16 KiB', '16 KiB'],
      ['64 KiB', '64 KiB'],
    ],
  },
  {
    name: 'maxMapCount',
    group: 'host',
    kind: 'optional-count',
    label: 'Mappings of a process',
    hint: "Linux's vm.max_map_count. Empty for no bound.",
    initial: '65530',
  },
  {
    name: 'memoryBytes',
    group: 'host',
    kind: 'optional-bytes',
    label: 'RAM for the pool',
    hint: 'Empty for no bound.',
    initial: '',
  },
  {
    name: 'addressSpaceLimitBytes',
    group: 'host',
    kind: 'optional-bytes',
    label: 'Limit of address space',
    hint: 'RLIMIT_AS. Empty for no bound.',
    initial: '',
  },
  {
    name: 'residentBytesPerMemory',
    group: 'usage',
    kind: 'bytes',
    label: 'RAM a live memory takes',
    hint: 'What a guest writes to while it lives.',
    initial: '64 KiB',
    slider: { from: 4 * KIB, to: 256 * MIB },
  },
  {
    name: 'hasImage',
    group: 'usage',
    kind: 'flag',
    label: 'Memories start from an image',
    hint: '',
    initial: 'yes',
  },
];

/** Texts of all fields by name, as the reader typed them. */
export type Values = Readonly<Record<string, string>>;

/** Machines whose figures are known, to start from. */
export const HOSTS: readonly { readonly label: string; readonly values: Values }[] = [
  { label: 'x86-64 Linux', values: { addressBits: '47', pageSize: '4 KiB', protectionKeys: '0' } },
  { label: 'x86-64 Linux with keys', values: { addressBits: '47', pageSize: '4 KiB', protectionKeys: '15' } },
  { label: 'arm64, 48 bits', values: { addressBits: '48', pageSize: '4 KiB', protectionKeys: '0' } },
  { label: 'arm64, 39 bits', values: { addressBits: '39', pageSize: '4 KiB', protectionKeys: '0' } },
  { label: 'arm64, 64 KiB pages', values: { addressBits: '48', pageSize: '64 KiB', protectionKeys: '0' } },
];

/** The texts that hold where nothing was set. */
export function defaults(): Record<string, string> {
  return Object.fromEntries(FIELDS.map(({ name, initial }) => [name, initial]));
}

/** The part of a link behind `#`: what differs from the defaults. */
export function toHash(values: Values): string {
  const set = FIELDS.filter(({ name, initial }) => (values[name] ?? initial) !== initial);
  const pairs = set.map(({ name }): [string, string] => [name, values[name] ?? '']);
  return new URLSearchParams(pairs).toString();
}

/** The inverse of {@link toHash}. Names that no field has are left out; values are checked when the plan is made. */
export function fromHash(hash: string): Record<string, string> {
  const values = defaults();
  for (const [name, value] of new URLSearchParams(hash.replace(/^#/, ''))) {
    if (Object.hasOwn(values, name)) values[name] = value;
  }
  return values;
}

/** What a field holds as a value, or its text where the planner reads that itself. */
export function readField(field: Field, text: string): unknown {
  const trimmed = text.trim().replaceAll(',', '');
  if (field.kind.startsWith('optional') && trimmed === '') return undefined;
  switch (field.kind) {
    case 'bytes':
    case 'optional-bytes':
      return parseBytes(trimmed, field.label);
    case 'count':
    case 'optional-count':
      if (!/^\d{1,16}$/.test(trimmed)) throw new RangeError(`${field.label} must be a whole number`);
      return Number(trimmed);
    case 'flag':
      return text === 'yes';
    case 'choice':
      if (!field.choices?.some(([value]) => value === text))
        throw new TypeError(`${field.label}: no such choice`);
      return field.name === 'pageSize' ? parseBytes(text) : text;
  }
}

/** A plan, or which fields are wrong and why. */
export type Outcome =
  | { readonly kind: 'plan'; readonly plan: Plan }
  | { readonly kind: 'mistake'; readonly message: string; readonly fields: readonly string[] };

/** Plans with the texts of the fields. Never throws. */
export function planFor(values: Values): Outcome {
  const groups: Record<Field['group'], Record<string, unknown>> = { settings: {}, host: {}, usage: {} };
  for (const field of FIELDS) {
    try {
      groups[field.group][field.name] = readField(field, values[field.name] ?? field.initial);
    } catch (error) {
      return { kind: 'mistake', message: messageOf(error), fields: [field.name] };
    }
  }
  try {
    return { kind: 'plan', plan: plan(groups.settings, groups.host, groups.usage) };
  } catch (error) {
    const message = messageOf(error);
    const fields = FIELDS.filter(({ name }) => message.includes(name)).map(({ name }) => name);
    return { kind: 'mistake', message, fields };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
