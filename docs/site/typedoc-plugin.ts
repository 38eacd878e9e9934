/** A plugin of typedoc: its pages get the site's navigation, for they are a part of the site. */
import { JSX, type Application, type DefaultThemeRenderContext } from 'typedoc';
import { NAVIGATION } from './page.ts';

/** Called by typedoc. */
export function load(app: Application): void {
  app.renderer.hooks.on('body.begin', siteNavigation);
}

function siteNavigation(context: DefaultThemeRenderContext): JSX.Element {
  const links = NAVIGATION.map(([id, path, label]) =>
    JSX.createElement(
      'a',
      // The API pages are one folder below the site, and some of them two.
      { href: context.relativeURL(`../${path}`), ...(id === 'api' && { 'aria-current': 'page' }) },
      label,
    ),
  );
  return JSX.createElement('nav', { class: 'site-navigation', 'aria-label': 'Site' }, ...links);
}
