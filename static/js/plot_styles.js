// plotly and the map library inside it put <style> elements in the page when they are loaded, unless elements with
// these ids are there. The content security policy would refuse them, and plot.css has the rules, so hold the places.
for (const id of PLOTLY_STYLE_IDS) {
  if (document.getElementById(id)) continue;
  const mark = document.createElement("meta");
  mark.id = id;
  mark.className = "no-inline-styles";
  document.head.append(mark);
}
