// Other element types and calls with something more on the shapes, beside plain float32.
import { PLACES, pointsIn, renderShapes, SHAPES_CAPTION, topOf, type Place, type ShapeSeries } from "./shapes.js";
import { lineAt, namesOf } from "./style.js";
import { comparable, otherTypes, relativeOf } from "../report/relatives.js";
import { byContender, contenderOf, groupBy, isOrdinary, typeOf, type Row } from "../report/rows.js";

const SHADES = ["#1f5fb4", "#e08a00", "#2aa0a0", "#8a63c4", "#b4451f", "#8c8c8c"];
const SYMBOLS = ["circle", "diamond", "triangle", "rect", "pin"];
/** Pixels between the types of one shape. */
const APART = 7;

interface Mark {
  readonly contender: string;
  readonly type: string;
  /** From the middle of its shape; those of one type stand above one another. */
  readonly offset: number;
  readonly color: string;
  readonly symbol: string;
}

/** Colour and place by type, symbol by contender; of contenders whose plain float32 was timed too. */
function marksOf(rows: readonly Row[], types: readonly string[]): Mark[] {
  const contenders = [...groupBy(rows, contenderOf)].filter(([, own]) => own.some(isOrdinary));
  return contenders.flatMap(([contender, own], i) =>
    types.flatMap((type, j): Mark[] => {
      const [color, symbol] = [SHADES[j % SHADES.length]!, SYMBOLS[i % SYMBOLS.length]!];
      const offset = APART * (j - (types.length - 1) / 2);
      return own.some((row) => typeOf(row) === type) ? [{ contender, type, offset, color, symbol }] : [];
    }),
  );
}

function panelSeries(all: readonly Row[], place: Place, panel: number, marks: readonly Mark[]): ShapeSeries[] {
  const rows = all.filter(({ layout, op }) => layout === place.layout && op === place.operation);
  return marks.map(({ contender, type, offset, color, symbol }, i): ShapeSeries => {
    const own = rows.filter((row) => contenderOf(row) === contender);
    return {
      ...{
        type: "scatter",
        name: `${contender}: ${type.replace("float32, ", "")}`,
        xAxisIndex: panel,
        yAxisIndex: panel,
        color,
      },
      ...{ symbol, symbolSize: 8, symbolOffset: [offset, 0] },
      ...{ itemStyle: { opacity: 1 }, data: pointsIn(place, own, (shape) => relativeOf(shape, type)) },
      ...(i === 0 && lineAt(1)),
    };
  });
}

/**
 * null where nothing was timed beside plain float32. Of several thread counts one, and of types that also had something
 * more, plain ones.
 */
export function typesChart(all: readonly Row[]): { svg: string; caption: string } | null {
  const rows = comparable(all)
    .filter(({ threads, dtype, variant }) => threads === 1 && (dtype === "float32" || variant === "plain"))
    .sort(byContender);
  const marks = marksOf(rows, otherTypes(rows));
  if (marks.length === 0) return null;
  const series = PLACES.flatMap((place, panel) => panelSeries(rows, place, panel, marks));
  return {
    svg: renderShapes(series, {
      names: namesOf(series),
      axis: { type: "value", min: 0, max: topOf(series), name: "times float32" },
    }),
    caption:
      "Time divided by that of the same call on plain float32 data (the line at 1), on the same backend. One thread, outputs " +
      `given, the median over the kinds of data. The two calls were timed minutes apart. ${SHAPES_CAPTION}.`,
  };
}
