(function () {
  const text = (id) => JSON.parse(document.getElementById(id).textContent);
  const spec = text("explorer-spec"), grid = text("explorer-grid");
  const box = document.getElementById("explorer"), said = document.getElementById("explorer-said");
  const wide = box.clientWidth > 900;
  const width = Math.floor(wide ? (box.clientWidth - 190) / 2 : box.clientWidth - 80);
  spec.columns = wide ? 2 : 1;
  spec.concat.forEach((one) => { one.width = width; one.height = one.name === "needed" ? 190 : 240; });
  // the setting that a link carries, where it is one
  const asked = new URLSearchParams(location.hash.slice(1));
  spec.params.forEach((one) => {
    if (!one.bind || !asked.has(one.name)) return;
    const value = one.bind.options ? asked.get(one.name) : Number(asked.get(one.name));
    const fits = one.bind.options ? one.bind.options.includes(value) : value >= one.bind.min && value <= one.bind.max;
    if (fits) one.value = value;
  });
  const names = spec.params.filter((one) => one.bind).map((one) => one.name);
  const options = { renderer: "svg", actions: false, bind: "#explorer-inputs", ast: false };
  vegaEmbed(box, spec, options).then(({ view }) => {
    const tell = () => {
      const now = Object.fromEntries(names.map((name) => [name, view.signal(name)]));
      history.replaceState(null, "", "#" + new URLSearchParams(now));
      const between = Object.keys(grid).filter((name) => !grid[name].some((v) => Math.abs(v - now[name]) < 1e-9));
      said.textContent = between.length
        ? "Between points of the grid (" + between.join(", ") + "): interpolated in a straight line."
        : "On a point of the grid: simulated.";
    };
    names.forEach((name) => view.addSignalListener(name, () => setTimeout(tell)));
    tell();
    window.explorerView = view;
  });
})();
