// The types of data/findings.js and data/reports.js, written by dashboards/findings.py and
// dashboards/contents.py.

// ---- data/findings.js ----

type Growth = [
  comparison: number,
  line: string,
  measure: string,
  exponent: number | null,
  low: number | null,
  high: number | null,
  rounds: number,
  first: number,
  last: number,
  claim: string,
  contradicted: boolean,
];

type Crossing = [
  comparison: number,
  measure: string,
  behind: string,
  ahead: string,
  /** Where `ahead` overtakes `behind`, is overtaken by it, and so on. */
  changes: [value: number | null, low: number | null, high: number | null][],
  first: number,
  last: number,
];

type Pair = [
  comparison: number,
  measure: number,
  length: number,
  batch: number,
  first: string,
  second: string,
  value: number | null,
  low: number | null,
  high: number | null,
  n: number,
  better: string | null,
];

type Front = [comparison: number, measure: number, costs: number[], qualities: number[]];

type EngineRatio = [
  comparison: number,
  baseline: number,
  line: string,
  length: number,
  measure: string,
  value: number | null,
  low: number | null,
  high: number | null,
  rounds: number,
  hoursApart: number,
];

interface Findings {
  growth: Growth[];
  crossings: Crossing[];
  pairs: Pair[];
  engines: EngineRatio[];
  /** The Pareto fronts of quality and a cost. */
  fronts: Front[];
  profile: {
    shares: number[];
    lines: Record<string, number[]>;
    means: Record<string, [mean: number, comparisons: number]>;
  };
}

// ---- data/reports.js ----

type ReportPoint = [
  group: string,
  value: number,
  low: number | null,
  high: number | null,
  n: number,
];

/** A report of one line at one length by group of examples: means over seeds. */
interface ReportData {
  comparison: number;
  length: number;
  line: number;
  name: string;
  /** The figures of each group by name, "" if a group has one figure. */
  figures: Record<string, ReportPoint[]>;
  /** Why the model is not applicable to some groups. */
  reasons: Record<string, string>;
}
