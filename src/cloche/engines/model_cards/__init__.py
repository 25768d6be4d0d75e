"""Model cards: every version of each card, and jobs that export one as a PDF.

``versions`` is the table of what cards have said, ``exports`` the jobs. A card's record is its newest version; a
version, once written, only changes its approval.
"""

from cloche.engines.model_cards.exports import CardExports, ExportPlan
from cloche.engines.model_cards.versions import MIGRATIONS, CardVersion

__all__ = ["MIGRATIONS", "CardExports", "CardVersion", "ExportPlan"]
