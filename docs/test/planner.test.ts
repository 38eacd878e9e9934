/** The slab planner page in a real browser, from files, offline. */
import { formatBytes, plan } from '@guardstripe/layout';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { describeSite, STRIPED_PLANNER } from './support/browser.js';

const verdict = (page: Page) => page.locator('#verdict').innerText();
const drawing = (page: Page) => page.locator('#scale-stage').innerHTML();
const field = (page: Page, label: string) => page.getByLabel(label, { exact: true });

describeSite('the slab planner in Chromium', (openInSite) => {
  const open = (path = 'planner/index.html') => openInSite(path);

  it('answers for the defaults at once, without a complaint', async () => {
    await using opened = await open();
    const { page, complaints } = opened;
    expect(await verdict(page)).toContain('1,000 slots fit.');
    expect(await page.locator('#figures').innerText()).toMatch(/3\.94 TiB[\s\S]*4\.03 GiB/);
    expect(await page.locator('#picture svg').count()).toBe(1);
    expect(complaints).toEqual([]);
  });

  it('answers anew for each field and slider', async () => {
    await using opened = await open();
    const { page, complaints } = opened;
    const before = await drawing(page);
    await field(page, 'Address bits').fill('39');
    expect(await verdict(page)).toContain('1,000 slots do not fit.');
    expect(await page.locator('#advice').innerText()).toContain('do not fit into');
    await field(page, 'Largest memory').fill('64MiB');
    await field(page, 'Reservation').fill('64 MiB');
    expect(await verdict(page)).toContain('1,000 slots fit.');
    expect(await drawing(page)).not.toBe(before);

    await field(page, 'Memories, slider').fill('0');
    expect(await field(page, 'Memories').inputValue()).toBe('1');
    expect(await verdict(page)).toContain('1 slot fits.');
    expect(complaints).toEqual([]);
  });

  it('says what is wrong with a field, and recovers', async () => {
    await using opened = await open();
    const { page, complaints } = opened;
    await field(page, 'Guard').fill('32 MB');
    expect(await verdict(page)).toMatch(/Not a plan yet.*Guard.*64MiB/);
    expect(await field(page, 'Guard').getAttribute('aria-invalid')).toBe('true');
    await field(page, 'Guard').fill('64 MiB');
    expect(await field(page, 'Guard').getAttribute('aria-invalid')).toBeNull();
    expect(await verdict(page)).toContain('slots fit.');
    expect(complaints).toEqual([]);
  });

  it('says what each setting costs', async () => {
    await using opened = await open('planner/index.html#maxMemorySize=256+MiB&protectionKeys=15');
    const { page } = opened;
    const row = (setting: string) => page.locator('#costs tr', { hasText: setting }).innerText();
    const { costs } = plan({ maxMemorySize: '256 MiB' }, { protectionKeys: 15 });
    expect(costs.length).toBeGreaterThan(2);
    for (const { setting, savedBytes, slotsByAddressSpace } of costs) {
      const size = formatBytes(Math.abs(savedBytes));
      const slots = slotsByAddressSpace.toLocaleString('en');
      expect(await row(setting)).toMatch(
        new RegExp(`${size} ${savedBytes > 0 ? 'less' : 'more'}\\s+${slots}$`),
      );
    }
    await field(page, 'Memories').fill('0');
    expect(await page.locator('#costs-section').isVisible()).toBe(false);
  });

  it('draws stripes when the host has keys', async () => {
    await using opened = await open();
    const { page } = opened;
    const colours = () => page.locator('#scale-stage rect[class="stripe-1"]').count();
    await field(page, 'Largest memory').fill('256 MiB');
    expect(await colours()).toBe(0);
    await page.getByRole('button', { name: 'x86-64 Linux with keys' }).click();
    expect(await colours()).toBeGreaterThan(0);
    expect(await page.locator('#figures').innerText()).toMatch(/Stripes\s+15/);
  });

  it('carries the settings in the link, both ways', async () => {
    await using opened = await open();
    const { page } = opened;
    await field(page, 'Memories').fill('2500');
    await field(page, 'Protection keys').selectOption('disable');
    await field(page, 'Guard before the first slot').uncheck();
    const link = page.url();
    expect(link).toContain('#totalMemories=2500&guardBeforeLinearMemory=no&memoryProtectionKeys=disable');
    const shown = await verdict(page);

    await using other = await open(`planner/index.html#${link.split('#')[1]}`);
    expect(await verdict(other.page)).toBe(shown);
    expect(await field(other.page, 'Memories').inputValue()).toBe('2500');
    expect(await field(other.page, 'Guard before the first slot').isChecked()).toBe(false);
    expect(await field(other.page, 'Protection keys').inputValue()).toBe('disable');

    await other.page.evaluate('location.hash = "#totalMemories=7"');
    await other.page.waitForFunction('document.querySelector("#verdict").textContent.startsWith("7 slots")');
    await other.page.getByRole('button', { name: 'Back to the defaults' }).click();
    expect(other.page.url()).not.toContain('#');
  });

  it('zooms and moves with buttons, sliders and keys', async () => {
    await using opened = await open(STRIPED_PLANNER);
    const { page, complaints } = opened;
    const range = () => page.locator('#scale-range').innerText();
    await page.getByRole('button', { name: 'Whole', exact: true }).click();
    expect(await range()).toMatch(/^26\.\d+ TiB of 26/);
    expect(await drawing(page)).toContain('slots, zoom in to see them');
    await field(page, 'Zoom').fill('600');
    expect(await range()).toMatch(/(?:MiB|GiB) of 26/);
    await page.getByRole('button', { name: 'Last slots' }).click();
    expect(await drawing(page)).toContain('guard');

    await page.locator('#scale-stage').focus();
    await page.keyboard.press('Home');
    const whole = await range();
    await page.keyboard.press('+');
    const nearer = await range();
    await page.keyboard.press('ArrowRight');
    expect(new Set([whole, nearer, await range()]).size).toBe(3);
    await page.keyboard.press('Home');
    expect(await range()).toBe(whole);
    expect(complaints).toEqual([]);
  });

  it('says what lies at an offset, typed or pointed at', async () => {
    await using opened = await open();
    const { page } = opened;
    const place = () => page.locator('#place').innerText();
    await field(page, 'What lies at offset').fill('0x102000000');
    expect(await place()).toMatch(/slot 0/);
    expect(await page.locator('#scale-stage .mark').count()).toBe(1);
    await field(page, 'What lies at offset').fill('0xzz');
    expect(await place()).toContain('0xzz');
    await page.locator('#scale-stage').click({ position: { x: 500, y: 60 } });
    expect(await field(page, 'What lies at offset').inputValue()).toMatch(/^0x[\da-f]+$/);
    expect(await place()).toMatch(/memory in slot 1/);
  });

  it('writes the configuration of each runtime', async () => {
    await using opened = await open('planner/index.html#totalMemories=4321');
    const { page } = opened;
    const config = page.locator('#config');
    for (const [label, text] of [
      ['Guardstripe', 'totalMemories: 4_321'],
      ['Wasmtime, Rust', 'pool.total_memories(4_321);'],
      ['Wasmtime, command line', '-O pooling-total-memories=4321'],
      ['Wasmtime, C', 'wasmtime_pooling_allocation_config_total_memories_set(pool, 4321);'],
    ] as const) {
      await page.locator('#targets').getByText(label, { exact: true }).click();
      expect(await config.innerText()).toContain(text);
    }
  });

  it('is worked by keyboard alone', async () => {
    await using opened = await open();
    const { page } = opened;
    await field(page, 'Most keys to take, slider').focus();
    await page.keyboard.press('ArrowLeft');
    expect(await field(page, 'Most keys to take').inputValue()).toBe('15');
    await page.locator('#target-guardstripe').focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('#config').innerText()).toContain('use wasmtime::');
  });
});
