/** What a plan says. */
import type { Size } from '../defaults.js';
import type { SlabLayout } from '../slab-layout.js';
import type { SettingCost } from './costs.js';
import type { PlanSettings } from './defaults.js';
import type { NamedSettings } from './settings.js';

/** How a memory is used, for what it costs while it lives. Every field may be left out. */
export interface PlanUsage {
  /** Bytes that a memory writes to while it lives; whole pages are counted. Default one page. */
  readonly residentBytesPerMemory?: Size | undefined;
  /** Whether memories start from an image: it takes mappings of its own. Default true. */
  readonly hasImage?: boolean | undefined;
}

/** What stops the number of memories from being larger. */
export type PlanBound = 'totalMemories' | 'address space' | 'mappings' | 'memory';

/** The answer. */
export interface Plan {
  /** The settings with their defaults. */
  readonly settings: PlanSettings;
  /** What each setting is called where it came from, as advice calls it: `pooling-total-memories`, `--total-memories`. */
  readonly names: NamedSettings['names'];
  /** Whether the pool can be made here, and all `totalMemories` be live at once. */
  readonly fits: boolean;
  /** Whether the slab of all `totalMemories` slots can be reserved here, however many of them can be live. */
  readonly slabFits: boolean;
  /** Bytes of address space that all `totalMemories` slots take; `Infinity` beyond the safe integers. */
  readonly wantedSlabBytes: number;
  /** Most bytes that the slab may have on the host. */
  readonly slabLimitBytes: number;
  /** The slab of the largest number of slots that fits, at most `totalMemories`. */
  readonly layout: SlabLayout;
  /** Most slots that fit into the address space with these settings, whatever `totalMemories` says; at most 2^32 - 1. */
  readonly slotsByAddressSpace: number;
  /** Most slots that may be in use, or keep what is left of their last use; `Infinity` without a bound. */
  readonly liveByMappings: number;
  /** Most memories whose pages fit into RAM; `Infinity` without a bound. */
  readonly liveByMemory: number;
  /** Memories that can be live at once: the smallest of the above and `totalMemories`. */
  readonly liveMemories: number;
  /** Which of them is the smallest. */
  readonly boundBy: PlanBound;
  /** Most mappings that one slot takes once it was used; freeing it keeps them. */
  readonly mappingsPerMemory: number;
  /** What `vm.max_map_count` must be for every slot to be used. */
  readonly mapCountForAll: number;
  /** How many times as many slots fit into an address space as without stripes; 1 without. */
  readonly densityGain: number;
  /** Most bytes that freed slots keep in RAM together, after a peak that used as many as can be. */
  readonly keptResidentBytes: number;
  /** What each setting costs, as what would be without it. */
  readonly costs: readonly SettingCost[];
  /** What stands out, each with the setting to change; errors first. */
  readonly advice: readonly PlanAdvice[];
}

/** One thing to know about a plan. */
export interface PlanAdvice {
  /** Stable name of the rule. */
  readonly code:
    | 'SLAB_DOES_NOT_FIT'
    | 'FEW_MAPPINGS'
    | 'LITTLE_MEMORY'
    | 'KEYS_GAIN_NOTHING'
    | 'KEYS_UNUSED'
    | 'NO_KEYS'
    | 'NO_GUARD'
    | 'LARGE_PAGES'
    | 'KEEPS_MUCH_RESIDENT';
  /** What is so, what follows, what to change. */
  readonly message: string;
  /** The setting that changes it, or the limit of the host. */
  readonly setting: keyof PlanSettings | 'vm.max_map_count' | 'RLIMIT_AS';
  /** An error keeps the pool from being made, a warning keeps it from what the settings ask for. */
  readonly severity: 'error' | 'warning' | 'note';
}

/** A plan before anything was said of it. */
export type BarePlan = Omit<Plan, 'advice' | 'fits'>;
