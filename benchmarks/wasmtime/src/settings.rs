//! Wasmtime's settings from `name=value` words, in Wasmtime's own names.
use std::str::FromStr;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Result, bail, error::Context};

/// Reads the words. What is not named keeps Wasmtime's default.
pub fn read(words: &str) -> Result<Config> {
    let mut config = Config::new();
    let mut pool = PoolingAllocationConfig::default();
    for word in words.split_whitespace() {
        let (name, value) = word.split_once('=').context("name=value")?;
        set(&mut config, &mut pool, name, value).with_context(|| word.to_owned())?;
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(config)
}

fn set(config: &mut Config, pool: &mut PoolingAllocationConfig, name: &str, value: &str) -> Result<()> {
    match name {
        "memory_reservation" => drop(config.memory_reservation(value.parse()?)),
        "memory_guard_size" => drop(config.memory_guard_size(value.parse()?)),
        "guard_before_linear_memory" => drop(config.guard_before_linear_memory(bool::from_str(value)?)),
        "total_memories" => {
            let count = value.parse()?;
            // Memories are what is compared, so they are what runs out first.
            pool.total_memories(count).total_core_instances(count + 16);
        }
        "total_tables" => drop(pool.total_tables(value.parse()?)),
        "max_memories_per_module" => drop(pool.max_memories_per_module(value.parse()?)),
        "max_memory_size" => drop(pool.max_memory_size(value.parse()?)),
        "linear_memory_keep_resident" => drop(pool.linear_memory_keep_resident(value.parse()?)),
        "max_unused_warm_slots" => drop(pool.max_unused_warm_slots(value.parse()?)),
        "decommit_batch_size" => drop(pool.decommit_batch_size(value.parse()?)),
        "memory_protection_keys" => drop(pool.memory_protection_keys(enabled(value)?)),
        "max_memory_protection_keys" => drop(pool.max_memory_protection_keys(value.parse()?)),
        "pagemap_scan" => drop(pool.pagemap_scan(enabled(value)?)),
        _ => bail!("unknown setting {name}"),
    }
    Ok(())
}

fn enabled(value: &str) -> Result<Enabled> {
    Ok(match value {
        "auto" => Enabled::Auto,
        "enable" => Enabled::Yes,
        "disable" => Enabled::No,
        _ => bail!("auto, enable or disable"),
    })
}
