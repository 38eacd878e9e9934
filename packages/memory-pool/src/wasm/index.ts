/** Reading WebAssembly modules: which memories they have, and what those start with. */
export { InvalidModuleError } from './errors.js';
export { planImages, type ImagePlan, type PlannedMemory, type PlannedSegment } from './image-plan.js';
export { parseModule } from './parse.js';
export type {
  ActiveSegment,
  DataSegment,
  DefinedMemory,
  ImportedMemory,
  MemoryDescriptor,
  MemoryType,
  ParsedModule,
  PassiveSegment,
  SegmentOffset,
} from './types.js';
