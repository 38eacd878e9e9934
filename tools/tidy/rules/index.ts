/** All house rules that no linter knows, by name. */
import type { Rule } from '../workspace.ts';
import { commentWraps } from './comment-wraps.ts';
import { fileLengths, folderSizes } from './lengths.ts';
import { namedThings } from './named-things.ts';
import { namedPaths } from './paths.ts';
import { spelling } from './spelling.ts';
import { testPlaces } from './test-places.ts';
import { throwsStyle } from './throws-style.ts';

export const rules = {
  'comments are wrapped at the width': commentWraps,
  '@throws has one style': throwsStyle,
  'spelling is British, with -ize': spelling,
  'names in comments exist': namedThings,
  'paths in documents and comments exist': namedPaths,
  'files are short': fileLengths,
  'folders are small': folderSizes,
  "tests lie at their source's path": testPlaces,
} satisfies Record<string, Rule>;
