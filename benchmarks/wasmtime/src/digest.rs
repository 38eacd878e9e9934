//! What the memories of a module start with, for comparison with a reader that V8 cannot check: custom page sizes, 64-bit
//! memories past V8's limits, many memories. Every memory to be seen must be exported; imports are not given.
//!
//! The answer is one `NAME:BYTES:DIGEST` for each exported memory, in the order of the exports. The digest is FNV-1a (64 bits)
//! over the offset, as eight bytes, and the contents of each host page that is not all zeros, the last one as short as it is.
use wasmtime::{Config, Engine, Extern, Instance, Module, Result, Store};

const PAGE: usize = 4096;

pub fn of_file(path: &str) -> Result<String> {
    let mut config = Config::new();
    config.wasm_memory64(true).wasm_multi_memory(true).wasm_custom_page_sizes(true).wasm_extended_const(true);
    let engine = Engine::new(&config)?;
    let module = Module::from_file(&engine, path)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let names: Vec<_> = module.exports().map(|export| export.name().to_owned()).collect();
    let mut digests = Vec::new();
    for name in names {
        let Some(Extern::Memory(memory)) = instance.get_export(&mut store, &name) else { continue };
        let bytes = memory.data(&store);
        digests.push(format!("{name}:{}:{:016x}", bytes.len(), fnv1a(bytes)));
    }
    Ok(digests.join(" "))
}

fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut take = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for (index, page) in bytes.chunks(PAGE).enumerate() {
        if page.iter().all(|byte| *byte == 0) {
            continue;
        }
        ((index * PAGE) as u64).to_le_bytes().into_iter().for_each(&mut take);
        page.iter().copied().for_each(&mut take);
    }
    hash
}
