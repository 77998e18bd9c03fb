/** uPlot, which the bridge serves beside these scripts from the package's own file. */
// oxlint-disable-next-line import/no-default-export -- it is how uPlot exports itself
export { default } from 'uplot';
