//! Tenants that come and go: a store, an instance with a fresh memory, reads and writes, and all of it is given back.
//!
//! A tenant is written as words: `mI` is its module (the first if left out), `rP` reads page P, `wP` writes to page P, and
//! `rA-B`, `wA-B` do so for a range of pages, B left out.
use crate::clock::cpu_nanoseconds;
use std::time::Instant;
use wasmtime::{
    Engine, Extern, InstancePre, Linker, Module, ModuleExport, Result, Store, bail, ensure, error::Context,
};

const PAGE: usize = 4096;

struct Tenant {
    module: usize,
    reads: Vec<usize>,
    writes: Vec<usize>,
}

struct Prepared {
    instance: InstancePre<()>,
    memory: ModuleExport,
}

/// Tenants in their order, and what they are instances of.
pub struct Tenants {
    engine: Engine,
    prepared: Vec<Prepared>,
    tenants: Vec<Tenant>,
}

impl Tenants {
    pub fn read(engine: &Engine, modules: &[Module], words: &str) -> Result<Self> {
        let tenants = words.split(';').map(read_tenant).collect::<Result<Vec<_>>>()?;
        ensure!(tenants.iter().all(|tenant| tenant.module < modules.len()), "no such module");
        let prepared = modules.iter().map(|module| prepare(engine, module)).collect::<Result<_>>()?;
        Ok(Tenants { engine: engine.clone(), prepared, tenants })
    }

    /// CPU time for `iterations` tenants, in nanoseconds.
    pub fn run(&self, iterations: usize) -> Result<u128> {
        let start = cpu_nanoseconds();
        for i in 0..iterations {
            self.serve(&self.tenants[i % self.tenants.len()], i as u8)?;
        }
        Ok(cpu_nanoseconds() - start)
    }

    /// Nanoseconds until every thread has had `iterations` tenants.
    pub fn run_on_threads(&self, threads: usize, iterations: usize) -> Result<u128> {
        let start = Instant::now();
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.run(iterations))).collect();
            running.into_iter().try_for_each(|thread| thread.join().expect("no panic").map(drop))
        })?;
        Ok(start.elapsed().as_nanos())
    }

    fn serve(&self, tenant: &Tenant, value: u8) -> Result<()> {
        let Prepared { instance, memory } = &self.prepared[tenant.module];
        let mut store = Store::new(&self.engine, ());
        let instance = instance.instantiate(&mut store)?;
        let Some(Extern::Memory(memory)) = instance.get_module_export(&mut store, memory) else {
            bail!("the export is no memory");
        };
        let bytes = memory.data_mut(&mut store);
        let mut sum = 0;
        for page in &tenant.reads {
            // The compiler must not see that nobody looks at the sum.
            sum ^= unsafe { std::ptr::read_volatile(&bytes[page * PAGE]) };
        }
        for page in &tenant.writes {
            bytes[page * PAGE] = value;
        }
        std::hint::black_box((sum, bytes));
        Ok(())
    }
}

fn prepare(engine: &Engine, module: &Module) -> Result<Prepared> {
    Ok(Prepared {
        instance: Linker::new(engine).instantiate_pre(module)?,
        memory: module.get_export_index("memory").context("the module exports no memory")?,
    })
}

fn read_tenant(words: &str) -> Result<Tenant> {
    let mut tenant = Tenant { module: 0, reads: Vec::new(), writes: Vec::new() };
    for word in words.split_whitespace() {
        let (kind, value) = word.split_at(1);
        match kind {
            "m" => tenant.module = value.parse()?,
            "r" => tenant.reads.extend(pages(value)?),
            "w" => tenant.writes.extend(pages(value)?),
            _ => bail!("unknown word {word}"),
        }
    }
    Ok(tenant)
}

fn pages(value: &str) -> Result<std::ops::Range<usize>> {
    Ok(match value.split_once('-') {
        Some((first, end)) => first.parse()?..end.parse()?,
        None => {
            let page: usize = value.parse()?;
            page..page + 1
        }
    })
}
