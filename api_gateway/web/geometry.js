// From boxes on the picture as it was sent to the upright page: `rotation` and `skew` as the API describes them.
const RISE = 0.5; // of a slanting word over its length, as the server draws the boxes around them

export function upright({ width, height, rotation = 0, skew = 0 }) {
  const [upWidth, upHeight] = rotation % 180 ? [height, width] : [width, height];
  const angle = (skew * Math.PI) / 180;
  const cosine = Math.cos(angle);
  const sine = Math.sin(angle);
  const slope = Math.abs(sine);
  const whole = cosine * cosine - slope * slope * RISE;
  return {
    width: upWidth,
    height: upHeight,
    turn: rotation - skew,
    box(bbox) {
      const [x0, y0, x1, y1] = turned(bbox, width, height, rotation);
      const [boxWidth, boxHeight] = [x1 - x0, y1 - y0];
      const x = (x0 + x1) / 2 - upWidth / 2;
      const y = (y0 + y1) / 2 - upHeight / 2;
      const length = slope ? Math.max(1, (boxWidth * cosine - boxHeight * slope) / whole) : boxWidth;
      const high = slope ? Math.max(1, (boxHeight * cosine - boxWidth * slope * RISE) / whole) : boxHeight;
      return {
        left: upWidth / 2 + x * cosine + y * sine - length / 2,
        top: upHeight / 2 - x * sine + y * cosine - high / 2,
        width: length,
        height: high,
      };
    },
  };
}

function turned([x0, y0, x1, y1], width, height, rotation) {
  if (rotation === 90) return [height - y1, x0, height - y0, x1];
  if (rotation === 180) return [width - x1, height - y1, width - x0, height - y0];
  if (rotation === 270) return [y0, width - x1, y1, width - x0];
  return [x0, y0, x1, y1];
}
