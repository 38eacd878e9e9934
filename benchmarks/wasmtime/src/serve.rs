//! A fresh instance for each request: the same modules and the same requests as `examples/native-guest/bench`.
//!
//! ```text
//! tiny             write and sum up 16 bytes               sha256-BYTES     SHA-256 of so many bytes
//! argon2           grows its memory and writes to it       chatty           2,000 source mappings, a call back for each
//! ```
//! What Argon2 starts from is read from the file that is named behind the number of iterations.
//! The answer is the nanoseconds of CPU time, and behind a space what the last request was answered, for comparison with the others.
use crate::clock::cpu_nanoseconds;
use wasmtime::{
    Engine, Instance, InstancePre, Linker, Memory, Module, Result, Store, WasmParams, WasmResults, bail, error::Context,
};

const CHUNK_BYTES: usize = 16 * 1024;
const KIB: usize = 1024;

/// Calls back heard by the host.
type Heard = u32;

struct Request {
    store: Store<Heard>,
    instance: Instance,
}

impl Request {
    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> Result<R> {
        let function = self.instance.get_typed_func::<P, R>(&mut self.store, name)?;
        function.call(&mut self.store, params)
    }

    fn memory(&mut self) -> Result<Memory> {
        self.instance.get_memory(&mut self.store, "memory").context("the module exports no memory")
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<()> {
        Ok(self.memory()?.write(&mut self.store, at, bytes)?)
    }

    fn read_hex(&mut self, at: usize, length: usize) -> Result<String> {
        let bytes = &self.memory()?.data(&self.store)[at..at + length];
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

pub fn run(engine: &Engine, module: &Module, words: &str) -> Result<String> {
    let mut words = words.split(' ');
    let work = words.next().context("WORK")?;
    let iterations: usize = words.next().context("ITERATIONS")?.parse()?;
    let inputs = Inputs::read(work, words.next())?;
    let mut linker = Linker::<Heard>::new(engine);
    linker.func_wrap("env", "ask", i32::wrapping_abs)?;
    linker.func_wrap(
        "env",
        "mapping_callback",
        |mut caller: wasmtime::Caller<'_, Heard>,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32| {
            *caller.data_mut() += 1;
        },
    )?;
    let prepared = linker.instantiate_pre(module)?;
    let mut answer = String::new();
    let start = cpu_nanoseconds();
    for _ in 0..iterations {
        answer = one(engine, &prepared, work, &inputs)?;
    }
    Ok(format!("{} {answer}", cpu_nanoseconds() - start))
}

/// What the requests carry, made once.
struct Inputs {
    data: Vec<u8>,
    mappings: String,
    /// What Argon2 starts from.
    blocks: Vec<u8>,
}

impl Inputs {
    fn read(work: &str, blocks: Option<&str>) -> Result<Self> {
        let bytes = work.strip_prefix("sha256-").map_or(0, |bytes| bytes.parse().unwrap_or(0));
        let line = ["CAAC"; 10].join(",");
        Ok(Inputs {
            data: b"guardstripe".iter().copied().cycle().take(bytes).collect(),
            mappings: vec![line; 200].join(";"),
            blocks: blocks.map(std::fs::read).transpose()?.unwrap_or_default(),
        })
    }
}

fn one(engine: &Engine, prepared: &InstancePre<Heard>, work: &str, inputs: &Inputs) -> Result<String> {
    let mut store = Store::new(engine, 0);
    let instance = prepared.instantiate(&mut store)?;
    let mut request = Request { store, instance };
    match work {
        "tiny" => Ok(request.call::<_, i32>("work", (16_i32, 1_i32))?.to_string()),
        "argon2" => argon2(&mut request, &inputs.blocks),
        "chatty" => chatty(&mut request, &inputs.mappings),
        _ if work.starts_with("sha256-") => sha256(&mut request, &inputs.data),
        _ => bail!("unknown work {work}"),
    }
}

fn sha256(request: &mut Request, data: &[u8]) -> Result<String> {
    let address = request.call::<_, i32>("Hash_GetBuffer", ())? as u32 as usize;
    request.call::<_, ()>("Hash_Init", 256_i32)?;
    for chunk in data.chunks(CHUNK_BYTES) {
        request.write(address, chunk)?;
        request.call::<_, ()>("Hash_Update", chunk.len() as i32)?;
    }
    request.call::<_, ()>("Hash_Final", ())?;
    request.read_hex(address, 32)
}

fn argon2(request: &mut Request, blocks: &[u8]) -> Result<String> {
    const KIBIBYTES: usize = 1024;
    request.call::<_, i32>("Hash_GetBuffer", ())?;
    request.call::<_, i32>("Hash_SetMemorySize", ((KIBIBYTES + 1) * KIB) as i32)?;
    let address = request.call::<_, i32>("Hash_GetBuffer", ())? as u32 as usize;
    let vector = [1_i32, 32, KIBIBYTES as i32, 1, 0x13, 2];
    let vector: Vec<u8> = vector.iter().flat_map(|word| word.to_le_bytes()).collect();
    request.write(address + KIBIBYTES * KIB, &vector)?;
    request.write(address, blocks)?;
    request.call::<_, ()>("Hash_Calculate", (0_i32, KIBIBYTES as i32))?;
    request.read_hex(address, 32)
}

fn chatty(request: &mut Request, mappings: &str) -> Result<String> {
    let buffer = request.call::<_, i32>("allocate_mappings", mappings.len() as i32)? as u32 as usize;
    request.write(buffer, mappings.as_bytes())?;
    let parsed = request.call::<_, i32>("parse_mappings", buffer as i32)?;
    request.call::<_, ()>("by_generated_location", parsed)?;
    Ok(request.store.data().to_string())
}
