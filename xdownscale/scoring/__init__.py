"""What evaluate alone needs: groups of cases, pools of cells, skill against a reference, the table of scores."""
