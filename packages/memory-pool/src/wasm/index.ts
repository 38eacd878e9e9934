/** Reading WebAssembly modules: which memories they have, and what those start with. */
export { InvalidModuleError } from './errors.js';
export { planImages, type ImagePlan, type ImagePlans, type InitialBytes } from './images/plan.js';
export { ModuleLimitError, resolveLimits, type GivenLimits, type ModuleLimits } from './limits.js';
export { parseModule } from './parse.js';
export type { MemoryType, ParsedModule } from './types.js';
