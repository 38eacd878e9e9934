/** Reading wasm2c's C: needs no tools. */
import { describe, expect, it } from 'vitest';
import { reachBytes, withoutDataCopies } from '../src/generated-c.ts';
import { readGuestHeader, UnsupportedGuestError } from '../src/guest-header.ts';
import { glue } from '../src/glue.ts';

const HEADER = `
void Z_guest_init_module(void);
void Z_guest_instantiate(Z_guest_instance_t*, struct Z_a_instance_t*, struct Z_env_instance_t*);
void Z_guest_free(Z_guest_instance_t*);

/* import: 'env' 'tell' */
void Z_envZ_tell(struct Z_env_instance_t*, f64);

/* import: 'a' 'b' */
u32 Z_aZ_b(struct Z_a_instance_t*);

/* export: 'memory' */
wasm_rt_memory_t* Z_guestZ_memory(Z_guest_instance_t* instance);

/* export: 'it's' */
u64 Z_guestZ_itZ27s(Z_guest_instance_t*, u32, f32);

/* export: 'heap' */
u32* Z_guestZ_heap(Z_guest_instance_t* instance);
`;

describe('readGuestHeader', () => {
  it('finds functions, memories and the modules that are imported from', () => {
    expect(readGuestHeader(HEADER)).toEqual({
      imports: [
        {
          module: 'env',
          name: 'tell',
          symbol: 'Z_envZ_tell',
          hostType: 'struct Z_env_instance_t*',
          params: ['f64'],
          result: undefined,
        },
        {
          module: 'a',
          name: 'b',
          symbol: 'Z_aZ_b',
          hostType: 'struct Z_a_instance_t*',
          params: [],
          result: 'i32',
        },
      ],
      exports: [{ name: "it's", symbol: 'Z_guestZ_itZ27s', params: ['i32', 'f32'], result: 'i64' }],
      memoryNames: ['memory'],
      numImportModules: 2,
    });
  });

  it('refuses what cannot be called or given', () => {
    const broken = [
      HEADER.replace('u64 Z_guestZ_itZ27s', 'struct wasm_multi_ii Z_guestZ_itZ27s'),
      HEADER.replace('f64);', 'wasm_rt_externref_t);'),
      HEADER.replace('u32 Z_aZ_b(struct Z_a_instance_t*)', 'extern u32* Z_aZ_b'),
      HEADER.replace('_instantiate', '_make'),
    ];
    for (const text of broken) expect(() => readGuestHeader(text)).toThrow(UnsupportedGuestError);
  });

  it('gives glue one wrapper for each function', () => {
    const c = glue(readGuestHeader(HEADER), 'guest.h');
    expect(c).toContain('Z_guest_instantiate(&self->guest, NULL, NULL)');
    expect(c).toContain('GST_API u64 ng_export_0(void* instance, u32 p0, f32 p1)');
    expect(c).toContain('((u32 (*)(void))ng_bound[1])()');
  });
});

describe('reachBytes', () => {
  const access = (offset: string): string =>
    `w2c_i0 = i32_load(&instance->w2c_memory, (u64)(w2c_i0)${offset});\n`;

  it('is 4 GiB, the largest constant and the widest access', () => {
    expect(reachBytes('')).toBe(2 ** 32 + 8);
    expect(reachBytes(access(''))).toBe(2 ** 32 + 8);
    const store = 'f64_store(&instance->w2c_memory, (u64)(w2c_i0) + 4294967295, w2c_d1);\n';
    expect(reachBytes(access(' + 8u') + store + access(' + 16u'))).toBe(2 * 2 ** 32 - 1 + 8);
  });

  it('refuses an access that it does not understand', () => {
    expect(() => reachBytes('i64_load32_s(&instance->w2c_memory, w2c_j0);')).toThrow(UnsupportedGuestError);
    expect(() => reachBytes(access(' - 8u'))).toThrow(UnsupportedGuestError);
  });
});

describe('withoutDataCopies', () => {
  it('takes out what init_memories copies, and nothing else', () => {
    const kept =
      '  wasm_rt_allocate_memory(&instance->w2c_memory, 1, 4);\n  LOAD_DATA((*dest), a, src + b, n);\n';
    const copies = '  LOAD_DATA(instance->w2c_memory, 16u, data_segment_data_w2c_d0, 11);\n'.repeat(3);
    expect(withoutDataCopies(kept + copies)).toBe(kept);
  });
});
